#include "data/to_rgb.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace astroclip::data {

void to_rgb(std::span<const float> flux, const RgbStretch& stretch, std::span<float> rgb) {
  const size_t bands = stretch.scales.size(), pixels = flux.size() / bands;
  const std::vector<float> scales(stretch.scales.begin(), stretch.scales.end());
  const auto offset = static_cast<float>(stretch.offset), q = static_cast<float>(stretch.stretch);
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

void crop(std::span<const float> planes, int64_t height, int64_t width, int64_t x0, int64_t y0, int64_t size,
          std::span<float> out) {
  const int64_t count = static_cast<int64_t>(planes.size()) / (height * width);
  for (int64_t plane = 0; plane < count; ++plane)
    for (int64_t y = 0; y < size; ++y) {
      const float* row = planes.data() + (plane * height + y0 + y) * width + x0;
      std::copy(row, row + size, out.data() + (plane * size + y) * size);
    }
}

void turn(std::span<float> planes, int64_t side, int64_t element) {
  if (element == 0) return;
  const int64_t area = side * side;
  std::vector<float> copy(static_cast<size_t>(area));
  for (size_t at = 0; at < planes.size(); at += static_cast<size_t>(area)) {
    std::copy_n(planes.data() + at, area, copy.data());
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) {
        int64_t u = x;
        int64_t v = y;
        for (int64_t quarter = 0; quarter < element % 4; ++quarter) {
          const int64_t turned = side - 1 - v;
          v = u;
          u = turned;
        }
        if (element >= 4) u = side - 1 - u;
        planes[at + static_cast<size_t>(v * side + u)] = copy[static_cast<size_t>(y * side + x)];
      }
  }
}

}  // namespace astroclip::data
