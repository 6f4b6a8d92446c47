#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace astroclip {

/// Whether none of the values is NaN or infinite.
inline bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace astroclip
