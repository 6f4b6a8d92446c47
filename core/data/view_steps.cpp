#include "data/view_steps.h"

#include <algorithm>
#include <cmath>

namespace astroclip::data {

namespace {

void crop_all(std::vector<ViewField>& fields, int64_t x0, int64_t y0, int64_t size) {
  for (ViewField& field : fields) {
    const Shape square = field.shape().with(-1, size).with(-2, size);
    std::vector<float> cropped(static_cast<size_t>(square.numel()));
    crop(field.values(), field.shape()[-2], field.shape()[-1], x0, y0, size, cropped);
    field.replace(square, std::move(cropped));
  }
}

/// Scatter from pixel to pixel: the median absolute difference of neighbours, as a standard deviation.
float pixel_scatter(std::span<const float> values) {
  if (values.size() < 2) return 0.0F;
  std::vector<float> steps(values.size() - 1);
  for (size_t i = 0; i < steps.size(); ++i) steps[i] = std::abs(values[i + 1] - values[i]);
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle / (0.6745F * std::sqrt(2.0F));
}

}  // namespace

ViewStep centre_crop(int64_t size) {
  return [=](std::vector<ViewField>& fields, Rng&) {
    const Shape& shape = fields[0].shape();
    crop_all(fields, (shape[-1] - size) / 2, (shape[-2] - size) / 2, size);
  };
}

ViewStep random_crop(int64_t size, int64_t shift) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    const auto draw = [&](int64_t side) {
      const int64_t margin = side - size, reach = std::min(2 * shift, margin);
      return (margin - reach) / 2 + rng.below(reach + 1);
    };
    const int64_t x0 = draw(fields[0].shape()[-1]), y0 = draw(fields[0].shape()[-2]);
    crop_all(fields, x0, y0, size);
  };
}

ViewStep flip_rotate() {
  return [](std::vector<ViewField>& fields, Rng& rng) {
    const int64_t element = rng.below(8);
    for (ViewField& field : fields) turn(field.editable(), field.shape()[-1], element);
  };
}

ViewStep rgb(const RgbStretch& stretch) {
  return [=](std::vector<ViewField>& fields, Rng&) {
    std::vector<float> planes(fields[0].values().size());
    to_rgb(fields[0].values(), stretch, planes);
    fields[0].replace(fields[0].shape(), std::move(planes));
  };
}

ViewStep add_noise(double level) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    const double deviation = level * static_cast<double>(pixel_scatter(fields[0].values()));
    for (float& value : fields[0].editable()) value += static_cast<float>(deviation * rng.normal());
  };
}

}  // namespace astroclip::data
