#pragma once

#include "backend/cuda/dnn_graph.h"

/// Convolutions as graphs of cuDNN, channels last, with operands in bf16. Weights are [out, window height, window
/// width, in].
namespace astroclip::cuda::dnn {

struct ConvolutionShape {
  Shape x, y;  ///< [batch, height, width, channels]
  Windows windows;
  DType result = DType::bf16;
  // Of the forward pass alone.
  bool bias = false, relu = false;  ///< the bias has the dtype f32
  DType residual = DType::i64;      ///< i64: there is none
};

/// result = a ∗ b: y from x and weight, or dx from dy and weight.
struct ConvolutionGraph {
  Graph graph;
  int64_t a = -1, b = -1, result = -1, bias = -1, residual = -1;
};
struct ForwardGraph : ConvolutionGraph {
  explicit ForwardGraph(const ConvolutionShape& shape);
};
struct BackwardInputGraph : ConvolutionGraph {
  explicit BackwardInputGraph(const ConvolutionShape& shape);
};

}  // namespace astroclip::cuda::dnn
