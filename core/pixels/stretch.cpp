#include "pixels/stretch.h"

#include <algorithm>
#include <cmath>

namespace astroclip::pixels {

void to_rgb(std::span<const float> flux, const Stretch& stretch, std::span<float> rgb) {
  const size_t bands = stretch.scales.size(), pixels = flux.size() / bands;
  const std::vector<float> scales(stretch.scales.begin(), stretch.scales.end());
  const auto offset = static_cast<float>(stretch.offset), q = static_cast<float>(stretch.softening);
  const float norm = 1.0F / std::sqrt(q);
  std::vector<float> values(bands);
  for (size_t i = 0; i < pixels; ++i) {
    float intensity = 0.0F;
    for (size_t band = 0; band < bands; ++band) {
      values[band] = scales[band] * flux[band * pixels + i] + offset;
      intensity += std::max(values[band], 0.0F);  // keeps NaN
    }
    intensity /= static_cast<float>(bands);
    const float stretched = std::asinh(q * intensity) * norm;
    const float factor = stretched / (intensity == 0.0F ? 1e-6F : intensity);
    for (size_t band = 0; band < bands; ++band)
      rgb[(bands - 1 - band) * pixels + i] = std::clamp(values[band] * factor, 0.0F, 1.0F);
  }
}

void arcsinh(std::span<const float> flux, const Stretch& stretch, std::span<float> out) {
  const size_t bands = stretch.scales.size(), pixels = flux.size() / bands;
  const auto offset = static_cast<float>(stretch.offset), q = static_cast<float>(stretch.softening);
  const float norm = 1.0F / std::sqrt(q);
  for (size_t band = 0; band < bands; ++band) {
    const auto scale = static_cast<float>(stretch.scales[band]);
    for (size_t i = band * pixels; i < (band + 1) * pixels; ++i)
      out[i] = std::asinh(q * (scale * flux[i] + offset)) * norm;
  }
}

}  // namespace astroclip::pixels
