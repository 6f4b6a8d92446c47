#include "backend/cuda/convolution.h"

#include "backend/cuda/cuda_backend.h"

namespace astroclip::cuda {

void CudaBackend::convolution(const ConvolutionArguments& a) {
  if (a.y.numel() == 0) return;
  convolve(a);
}

void CudaBackend::convolution_backward_input(const ConvolutionBackwardInputArguments& a) {
  if (a.dx.numel() == 0) return;
  if (a.dy.numel() == 0) return fill(a.dx, 0.0);
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
  convolve_backward_weight(a);
}

}  // namespace astroclip::cuda
