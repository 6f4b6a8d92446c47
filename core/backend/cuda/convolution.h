#pragma once

#include "backend/backend.h"
#include "backend/cuda/scratch.h"

/// The ways of computing convolutions. No argument is empty. Those that return bool do nothing and return false where
/// they do not apply.
namespace astroclip::cuda {

/// By kernels in float32 arithmetic, for every shape.
void convolve(const ConvolutionArguments& arguments);
void convolve_backward_input(const ConvolutionBackwardInputArguments& arguments);
/// dweight alone. With dy in bf16, on tensor cores: dy and x must then be Rounded.
void convolve_backward_weight(const ConvolutionBackwardWeightArguments& arguments);

/// By plans of cuDNN that give the same bits each time, with operands in bf16. dx is rounded to bf16, too: few shapes
/// have plans that keep float32. `backend` rounds and permutes.
bool convolve_by_plan(Backend& backend, const ConvolutionArguments& arguments);
bool convolve_backward_input_by_plan(Backend& backend, const ConvolutionBackwardInputArguments& arguments);

inline bool is_aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

/// y [.., .., .., channels] in bf16 from x with fewer channels; the others are 0.
void round_padded(ConstView x, View y);

/// With as many channels as the next multiple of 8.
inline Shape padded(const Shape& shape) { return {shape[0], shape[1], shape[2], (shape[3] + 7) / 8 * 8}; }

/// An array [.., .., .., channels] in bf16, padded() and aligned to 16 bytes: itself or a copy.
class Rounded {
 public:
  Rounded(Backend& backend, ConstView x)
      : copy_(is_ready(x) ? 0 : padded(x.shape).numel() * size_of(DType::bf16)), view_(x) {
    if (is_ready(x)) return;
    const View copy(copy_.data(), padded(x.shape), DType::bf16);
    if (copy.shape == x.shape) {
      backend.cast(x, copy);
    } else {
      round_padded(x, copy);
    }
    view_ = copy;
  }
  ConstView view() const { return view_; }

 private:
  static bool is_ready(const ConstView& x) {
    return x.dtype == DType::bf16 && x.shape[3] % 8 == 0 && is_aligned(x.data);
  }

  Scratch copy_;
  ConstView view_;
};

}  // namespace astroclip::cuda
