#pragma once

#include "backend/cuda/vector.h"

namespace astroclip::cuda {

/// Σ exp(scale · (x − top)) over numbers that are seen once, with top the largest so far, so that nothing overflows. −∞
/// adds nothing; where there is nothing else, the sum of all threads is NaN.
struct ExpSum {
  float scale = 1.0f;  ///< above 0
  float top = -INFINITY, sum = 0.0f;

  /// Adds numbers; returns by how much top has risen, 0 at the first ones.
  template <int N>
  __device__ float add(const Floats<N>& x) {
    float most = top, rise = 0.0f;
#pragma unroll
    for (int i = 0; i < N; ++i) most = larger(most, x[i]);
    if (!(most <= top)) {
      if (top != -INFINITY) rise = most - top;
      sum *= expf(scale * -rise);
      top = most;
    }
    const float base = top == -INFINITY ? 0.0f : top;
#pragma unroll
    for (int i = 0; i < N; ++i) sum += expf(scale * (x[i] - base));
    return rise;
  }

  /// Makes it the sum of all threads of a row.
  template <class Rows>
  __device__ void gather() {
    const float most = Rows::template over<Largest>(top);
    sum = Rows::template over<Sum>(sum * expf(scale * (top - most)));
    top = most;
  }
  __device__ float logarithm() const { return scale * top + logf(sum); }
};

}  // namespace astroclip::cuda
