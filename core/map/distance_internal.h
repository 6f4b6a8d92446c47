#pragma once

#include <cstdint>

namespace astroclip::map {

/// Σ term(i) over columns, in float32 by as many sums at once as vectors hold.
template <class Term>
float sum_of(int64_t columns, Term term) {
  constexpr int64_t lanes = 16;
  float sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= columns; i += lanes) {
    for (int64_t lane = 0; lane < lanes; ++lane) sums[lane] += term(i + lane);
  }
  for (; i < columns; ++i) sums[0] += term(i);
  float total = 0.0F;
  for (const float sum : sums) total += sum;
  return total;
}

inline float squared_distance_of(const float* a, const float* b, int64_t columns) {
  return sum_of(columns, [=](int64_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
}

}  // namespace astroclip::map
