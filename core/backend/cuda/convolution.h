#pragma once

#include "backend/backend.h"
#include "backend/cuda/scratch.h"

/// The ways of computing convolutions. No argument is empty. Those that return bool do nothing and return false where
/// they do not apply.
namespace astroclip::cuda {

/// By kernels in float32 arithmetic, for every shape.
void convolve(const ConvolutionArguments& arguments);
void convolve_backward_input(const ConvolutionBackwardInputArguments& arguments);
/// dweight alone. With dy and x in bf16, on tensor cores; both must then have channels in multiples of 8 and be aligned
/// to 16 bytes.
void convolve_backward_weight(const ConvolutionBackwardWeightArguments& arguments);

/// By plans of cuDNN that give the same bits each time, with operands in bf16. dx is rounded to bf16, too: few shapes
/// have plans that keep float32. `backend` rounds and permutes.
bool convolve_by_plan(Backend& backend, const ConvolutionArguments& arguments);
bool convolve_backward_input_by_plan(Backend& backend, const ConvolutionBackwardInputArguments& arguments);

inline bool is_aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

/// An array in bf16: itself or a copy.
class Rounded {
 public:
  Rounded(Backend& backend, ConstView x)
      : copy_(x.dtype == DType::bf16 ? 0 : x.numel() * size_of(DType::bf16)), view_(x) {
    if (x.dtype == DType::bf16) return;
    const View copy(copy_.data(), x.shape, DType::bf16);
    backend.cast(x, copy);
    view_ = copy;
  }
  ConstView view() const { return view_; }

 private:
  Scratch copy_;
  ConstView view_;
};

}  // namespace astroclip::cuda
