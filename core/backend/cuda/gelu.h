#pragma once

#include <cmath>

#include "backend/cuda/launch.h"

namespace astroclip::cuda {

/// The standard normal distribution at x: its integral Φ(x) and its density.
struct Normal {
  float integral, density;
};

/// With T = float to the last digits, in the tails, too: Φ(−a) = e^(−a²/2) · t · Q(t), t = 3/(3 + a), where Q is a
/// Chebyshev fit of that quotient over a ≤ 13.3 with relative error 1.2e-9. Otherwise within 7.5e-8, which is little to
/// bf16, by half the instructions (Abramowitz & Stegun 1964, 26.2.17).
template <class T>
__device__ Normal normal(float x) {
  const float a = fabsf(x), square = a * a;
  float density, tail;
  if constexpr (sizeof(T) == sizeof(float)) {
    float bell = expf(-0.5f * square);
    bell = fmaf(-0.5f * fmaf(a, a, -square), bell, bell);
    if (a > 1e4f) bell = 0.0f;  // where the square's rounding error may be no number
    density = 0.398942280f * bell;
    const float t = 3.0f / (3.0f + a);
    float q = 0.01871559287f;
    q = fmaf(q, t, -0.1161392372f);
    q = fmaf(q, t, 0.2912186748f);
    q = fmaf(q, t, -0.3562684373f);
    q = fmaf(q, t, 0.2040800227f);
    q = fmaf(q, t, -0.0874915499f);
    q = fmaf(q, t, 0.07810995091f);
    q = fmaf(q, t, 0.08293419575f);
    q = fmaf(q, t, 0.118930744f);
    q = fmaf(q, t, 0.1329275739f);
    q = fmaf(q, t, 0.1329824698f);
    tail = bell * (t * q);
  } else {
    density = 0.398942280f * exp2f(-0.72134752f * square);
    const float t = __fdividef(1.0f, fmaf(0.2316419f, a, 1.0f));
    float q = 1.330274429f;
    q = fmaf(q, t, -1.821255978f);
    q = fmaf(q, t, 1.781477937f);
    q = fmaf(q, t, -0.356563782f);
    q = fmaf(q, t, 0.319381530f);
    tail = density * (t * q);
  }
  return {x < 0.0f ? tail : 1.0f - tail, density};
}

/// x Φ(x), for results of type T.
template <class T>
__device__ float gelu(float x) {
  return x * normal<T>(x).integral;
}

template <class T>
__device__ float gelu_slope(float x) {
  const Normal n = normal<T>(x);
  return fmaf(x, n.density, n.integral);
}

}  // namespace astroclip::cuda
