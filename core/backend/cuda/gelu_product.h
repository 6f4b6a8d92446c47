#pragma once

#include "backend/backend.h"

namespace astroclip::cuda {

/// Queues y = gelu(x Wᵀ + bias) as one kernel, GELU by erf at the product's end: x [rows, in], W [out, in] and y are
/// bf16, the bias [out] float32 or null; all are multiples of 16 bytes, as are their rows. False if the product is too
/// small to gain.
bool try_gelu_product(const ConstView& x, const ConstView& weight, const float* bias, const View& y);

}  // namespace astroclip::cuda
