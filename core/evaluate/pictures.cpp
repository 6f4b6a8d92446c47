#include "evaluate/pictures.h"

#include <algorithm>
#include <cmath>

#include "data/preprocessing.h"
#include "probe/metrics.h"

namespace astroclip::evaluate {

Colours colours_of(const Dataset& dataset, const Field& field, std::span<const float> first) {
  const int64_t bands = field.shape[0];
  const auto own = data::stretch_of(dataset.preprocessing(), field);
  if (own && own->kind == pixels::Stretch::Kind::rgb && bands == 3) return {{0, 1, 2}, *own};
  Colours colours{{0, bands / 2, bands - 1}, {}};
  colours.stretch.scales.clear();
  const size_t plane = first.size() / static_cast<size_t>(bands);
  for (const int64_t band : colours.bands) {
    std::vector<double> values;
    for (const float value : first.subspan(static_cast<size_t>(band) * plane, plane)) {
      if (std::isfinite(value)) values.push_back(double{std::abs(value)});
    }
    std::ranges::sort(values);
    const double bright = values.empty() ? 0.0 : probe::quantile(values, 0.99);
    colours.stretch.scales.push_back(bright > 0.0 ? 0.3 / bright : 1.0);
  }
  return colours;
}

std::vector<float> picture_of(std::span<const float> image, const Shape& shape, const Colours& colours, int64_t side,
                              int64_t step) {
  const int64_t height = shape[1], width = shape[2];
  const int64_t top = (height - side * step) / 2, left = (width - side * step) / 2;
  std::vector<float> flux, rgb(static_cast<size_t>(3 * side * side));
  for (const int64_t band : colours.bands) {
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        float sum = 0.0F;
        for (int64_t v = 0; v < step; ++v) {
          for (int64_t u = 0; u < step; ++u)
            sum += image[static_cast<size_t>((band * height + top + y * step + v) * width + left + x * step + u)];
        }
        flux.push_back(std::isfinite(sum) ? sum / static_cast<float>(step * step) : 0.0F);
      }
    }
  }
  pixels::to_rgb(flux, colours.stretch, rgb);
  return rgb;
}

std::vector<float> binned(std::span<const float> values, int64_t together) {
  std::vector<float> bins;
  for (size_t begin = 0; begin < values.size(); begin += static_cast<size_t>(together)) {
    float sum = 0.0F, count = 0.0F;
    for (const float value : values.subspan(begin, std::min(values.size() - begin, static_cast<size_t>(together)))) {
      if (std::isfinite(value)) sum += value, count += 1.0F;
    }
    bins.push_back(sum / count);
  }
  return bins;
}

}  // namespace astroclip::evaluate
