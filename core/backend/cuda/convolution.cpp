#include "backend/cuda/convolution.h"

#include "backend/cuda/choice.h"
#include "backend/cuda/cuda_backend.h"

namespace astroclip::cuda {

namespace {

/// cuDNN's plans for float32 use TF32 or are no faster than the kernels. For tests and measurements:
/// ASTROCLIP_CUDA_CONVOLUTION=own takes kernels alone.
bool tries_plans(Precision precision) {
  static const bool own = choice("ASTROCLIP_CUDA_CONVOLUTION") == "own";
  return precision == Precision::bf16 && !own;
}

}  // namespace

void CudaBackend::convolution(const ConvolutionArguments& a) {
  if (a.y.numel() == 0) return;
  if (tries_plans(a.precision) && convolve_by_plan(*this, a)) return;
  convolve(a);
}

void CudaBackend::convolution_backward_input(const ConvolutionBackwardInputArguments& a) {
  if (a.dx.numel() == 0) return;
  if (a.dy.numel() == 0) return fill(a.dx, 0.0);
  if (tries_plans(a.precision) && convolve_backward_input_by_plan(*this, a)) return;
  convolve_backward_input(a);
}

void CudaBackend::convolution_backward_weight(const ConvolutionBackwardWeightArguments& a) {
  const int64_t out = a.dweight.shape[0];
  if (a.dy.numel() == 0) {
    fill(a.dweight, 0.0);
    if (a.dbias) fill(a.dbias, 0.0);
    return;
  }
  if (a.dbias) {
    reduce(ReduceOp::sum, {a.dy.data, {a.dy.numel() / out, out}, a.dy.dtype}, {a.dbias.data, {1, out}, a.dbias.dtype});
  }
  if (a.dweight.numel() == 0) return;
  if (a.precision == Precision::f32) return convolve_backward_weight(a);
  const Rounded dy(*this, a.dy), x(*this, a.x);
  convolve_backward_weight({dy.view(), x.view(), a.windows, a.dweight, {}, a.precision});
}

}  // namespace astroclip::cuda
