#include "backend/cuda/convolution_graphs.h"

namespace astroclip::cuda::dnn {

namespace {

struct ChannelsLast {
  Extents extents, strides;
  explicit ChannelsLast(const Shape& s)
      : extents{s[0], s[3], s[1], s[2]}, strides{s[1] * s[2] * s[3], 1, s[2] * s[3], s[3]} {}
};

int64_t add_plane(Graph& graph, DType dtype, const Shape& shape) {
  const ChannelsLast plane(shape);
  return graph.tensor(type_of(dtype), plane.extents, plane.strides);
}

int64_t add_weight(Graph& graph, DType dtype, const ConvolutionShape& s) {
  return add_plane(graph, dtype, {s.y[3], s.windows.size[0], s.windows.size[1], s.x[3]});
}

}  // namespace

ForwardGraph::ForwardGraph(const ConvolutionShape& s) {
  a = add_plane(graph, DType::bf16, s.x);
  b = add_weight(graph, DType::bf16, s);
  result = add_plane(graph, s.result, s.y);
  const ChannelsLast y(s.y);
  int ends = static_cast<int>(s.bias) + static_cast<int>(s.residual != DType::i64) + static_cast<int>(s.relu);
  const auto next = [&] { return ends-- == 0 ? result : graph.between(CUDNN_DATA_FLOAT, y.extents, y.strides); };
  int64_t last = next();
  graph.convolution(s.windows, a, b, last);
  if (s.bias) {
    const int64_t channels = s.y[3], sum = next();
    bias = graph.tensor(CUDNN_DATA_FLOAT, {1, channels, 1, 1}, {channels, 1, channels, channels});
    graph.pointwise(CUDNN_POINTWISE_ADD, last, bias, sum);
    last = sum;
  }
  if (s.residual != DType::i64) {
    const int64_t sum = next();
    residual = add_plane(graph, s.residual, s.y);
    graph.pointwise(CUDNN_POINTWISE_ADD, last, residual, sum);
    last = sum;
  }
  if (s.relu) graph.relu(last, next());
}

BackwardInputGraph::BackwardInputGraph(const ConvolutionShape& s) {
  a = add_plane(graph, DType::bf16, s.y);
  b = add_weight(graph, DType::bf16, s);
  result = add_plane(graph, s.result, s.x);
  graph.convolution_dx(s.windows, a, b, result);
}

}  // namespace astroclip::cuda::dnn
