#include "backend/cuda/convolution.h"
#include "backend/cuda/convolution_graphs.h"

namespace astroclip::cuda {

namespace {

/// A weight in bf16 with its channels last.
class RoundedWeight {
 public:
  RoundedWeight(Backend& backend, ConstView weight) : turned_(weight.numel() * size_of(DType::f32)) {
    const Shape& s = weight.shape;
    const View turned(turned_.data(), {s[0], s[2], s[3], s[1]}, DType::f32);
    constexpr int order[] = {0, 2, 3, 1};
    backend.permute(weight, order, turned);
    rounded_.emplace(backend, turned);
  }
  const void* data() const { return rounded_->view().data; }

 private:
  Scratch turned_;
  std::optional<Rounded> rounded_;
};

template <class G>
const typename dnn::Plans<G>::Planned* plan_for(const dnn::ConvolutionShape& s) {
  static auto* plans = new dnn::Plans<G>();
  std::vector<int64_t> key = {static_cast<int64_t>(s.result), static_cast<int64_t>(s.residual), s.bias ? 1 : 0,
                              s.relu ? 1 : 0};
  for (const Shape* shape : {&s.x, &s.y}) {
    for (int axis = 0; axis < 4; ++axis) key.push_back((*shape)[axis]);
  }
  for (const auto& pair : {s.windows.size, s.windows.stride, s.windows.padding}) {
    key.insert(key.end(), pair.begin(), pair.end());
  }
  return plans->find(key, s);
}

template <class Planned>
void run(const Planned& planned, dnn::Pointers pointers, const void* a, const void* b, const void* result) {
  pointers.insert(pointers.end(), {{planned.graph.a, a}, {planned.graph.b, b}, {planned.graph.result, result}});
  const Scratch workspace(planned.plan->workspace_bytes());
  planned.plan->run(Card::get().networks(), pointers, workspace.data());
}

}  // namespace

bool convolve_by_plan(Backend& backend, const ConvolutionArguments& a) {
  if (!is_aligned(a.bias.data) || !is_aligned(a.residual.data) || !is_aligned(a.y.data)) return false;
  const auto* planned = plan_for<dnn::ForwardGraph>({.x = padded(a.x.shape),
                                                     .y = a.y.shape,
                                                     .windows = a.windows,
                                                     .result = a.y.dtype,
                                                     .bias = static_cast<bool>(a.bias),
                                                     .relu = a.relu,
                                                     .residual = a.residual ? a.residual.dtype : DType::i64});
  if (planned == nullptr) return false;
  const Rounded x(backend, a.x);
  const RoundedWeight weight(backend, a.weight);
  dnn::Pointers ends;
  if (a.bias) ends.emplace_back(planned->graph.bias, a.bias.data);
  if (a.residual) ends.emplace_back(planned->graph.residual, a.residual.data);
  run(*planned, std::move(ends), x.view().data, weight.data(), a.y.data);
  return true;
}

bool convolve_backward_input_by_plan(Backend& backend, const ConvolutionBackwardInputArguments& a) {
  if (a.dx.shape[3] % 8 != 0 || a.dy.shape[3] % 8 != 0) return false;
  const auto* planned = plan_for<dnn::BackwardInputGraph>({.x = a.dx.shape, .y = a.dy.shape, .windows = a.windows});
  if (planned == nullptr) return false;
  const Rounded dy(backend, a.dy);
  const RoundedWeight weight(backend, a.weight);
  const Scratch dx(a.dx.numel() * size_of(DType::bf16));
  run(*planned, {}, dy.view().data, weight.data(), dx.data());
  backend.cast({dx.data(), a.dx.shape, DType::bf16}, a.dx);
  return true;
}

}  // namespace astroclip::cuda
