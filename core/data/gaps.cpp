#include "data/gaps.h"

#include <algorithm>
#include <vector>

namespace astroclip::data {

namespace {

constexpr size_t end_pixels = 100;

/// The mean of the measured pixels nearest to one end.
float end_level(std::span<const float> flux, std::span<const float> ivar, const std::vector<size_t>& measured,
                bool at_start) {
  double sum = 0.0, weight = 0.0;
  for (size_t i = 0; i < std::min(end_pixels, measured.size()); ++i) {
    const size_t pixel = at_start ? measured[i] : measured[measured.size() - 1 - i];
    sum += static_cast<double>(ivar[pixel]) * static_cast<double>(flux[pixel]);
    weight += static_cast<double>(ivar[pixel]);
  }
  return static_cast<float>(sum / weight);
}

}  // namespace

void fill_gaps(std::span<float> flux, std::span<const float> ivar) {
  std::vector<size_t> measured;
  for (size_t i = 0; i < ivar.size(); ++i) {
    if (ivar[i] > 0.0F) measured.push_back(i);
  }
  if (measured.empty()) return;
  const float before = end_level(flux, ivar, measured, true), after = end_level(flux, ivar, measured, false);
  std::ranges::fill(flux.first(measured.front()), before);
  std::ranges::fill(flux.subspan(measured.back() + 1), after);
  for (size_t i = 1; i < measured.size(); ++i) {
    const size_t left = measured[i - 1], right = measured[i];
    for (size_t pixel = left + 1; pixel < right; ++pixel) {
      const float share = static_cast<float>(pixel - left) / static_cast<float>(right - left);
      flux[pixel] = (1.0F - share) * flux[left] + share * flux[right];
    }
  }
}

}  // namespace astroclip::data
