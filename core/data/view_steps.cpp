#include "data/view_steps.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pixels/blur.h"

namespace astroclip::data {

namespace {

void crop_all(std::vector<ViewField>& fields, int64_t x0, int64_t y0, int64_t size) {
  for (ViewField& field : fields) field.crop(x0, y0, size);
}

/// Only fluxes, the first field, can be interpolated.
void rotate_and_zoom_all(std::vector<ViewField>& fields, double angle, double magnification, bool is_flux) {
  auto interpolation = is_flux ? pixels::Interpolation::bilinear : pixels::Interpolation::nearest;
  for (ViewField& field : fields) {
    field.move({angle, magnification, interpolation});
    interpolation = pixels::Interpolation::nearest;
  }
}

/// The planes of a field, to be changed in place.
std::vector<std::span<float>> planes_of(ViewField& field) {
  const auto values = field.editable();
  const auto area = static_cast<size_t>(field.shape()[-1] * field.shape()[-2]);
  std::vector<std::span<float>> planes;
  for (size_t at = 0; at < values.size(); at += area) planes.push_back(values.subspan(at, area));
  return planes;
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

/// Deviation of white noise of unit variance after pixels::blur: Σw² of the weights w, √Σw² for each axis.
double deviation_after_blur(double sigma) {
  const auto reach = static_cast<int64_t>(4.0 * sigma + 0.5);
  double sum = 0.0, squares = 0.0;
  for (int64_t i = -reach; i <= reach; ++i) {
    const double weight = reach == 0 ? 1.0 : std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma));
    sum += weight;
    squares += weight * weight;
  }
  return squares / (sum * sum);
}

}  // namespace

std::span<const float> ViewField::values() {
  if (pending_) take({0, 0, shape_[-2], shape_[-1]});
  return own_.empty() ? source_ : std::span<const float>(own_);
}

std::span<float> ViewField::editable() {
  const std::span<const float> now = values();
  if (own_.empty()) own_.assign(now.begin(), now.end());
  return own_;
}

void ViewField::replace(const Shape& shape, std::vector<float> values) {
  shape_ = shape;
  own_ = std::move(values);
  pending_.reset();
}

void ViewField::crop(int64_t x0, int64_t y0, int64_t size) { take({x0, y0, size, size}); }

void ViewField::move(const pixels::Motion& motion) {
  values();  // an earlier motion is done
  pending_ = motion;
}

void ViewField::take(const pixels::Window& window) {
  const std::span<const float> from = own_.empty() ? source_ : std::span<const float>(own_);
  const Shape taken = shape_.with(-2, window.height).with(-1, window.width);
  std::vector<float> out(static_cast<size_t>(taken.numel()));
  if (pending_)
    pixels::rotate_and_zoom(from, shape_[-2], shape_[-1], *pending_, window, out);
  else
    pixels::crop(from, shape_[-2], shape_[-1], window, out);
  replace(taken, std::move(out));
}

ViewStep sometimes(double probability, ViewStep step) {
  if (!step || probability <= 0.0) return {};
  if (probability >= 1.0) return step;
  return [=, step = std::move(step)](std::vector<ViewField>& fields, Rng& rng) {
    if (rng.uniform() < probability) step(fields, rng);
  };
}

ViewStep centre_crop(int64_t size) {
  return [=](std::vector<ViewField>& fields, Rng&) {
    const Shape& shape = fields[0].shape();
    crop_all(fields, (shape[-1] - size) / 2, (shape[-2] - size) / 2, size);
  };
}

ViewStep random_crop(int64_t size, int64_t shift) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    const auto draw = [&](int64_t side) {
      const int64_t margin = side - size, reach = shift < 0 ? margin : std::min(2 * shift, margin);
      return (margin - reach) / 2 + rng.below(reach + 1);
    };
    const int64_t x0 = draw(fields[0].shape()[-1]), y0 = draw(fields[0].shape()[-2]);
    crop_all(fields, x0, y0, size);
  };
}

ViewStep flip_x() {
  return [](std::vector<ViewField>& fields, Rng&) {
    for (ViewField& field : fields) pixels::flip_columns(field.editable(), field.shape()[-1]);
  };
}

ViewStep flip_y() {
  return [](std::vector<ViewField>& fields, Rng&) {
    for (ViewField& field : fields) pixels::flip_rows(field.editable(), field.shape()[-2], field.shape()[-1]);
  };
}

ViewStep flip_rotate() {
  return [](std::vector<ViewField>& fields, Rng& rng) {
    const int64_t element = rng.below(8);
    for (ViewField& field : fields) pixels::turn(field.editable(), field.shape()[-1], element);
  };
}

ViewStep rotate(double degrees, bool is_flux) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    rotate_and_zoom_all(fields, rng.uniform(-degrees, degrees) * std::numbers::pi / 180.0, 1.0, is_flux);
  };
}

ViewStep size_jitter(double factor, bool is_flux) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    rotate_and_zoom_all(fields, 0.0, std::exp(rng.uniform(-1.0, 1.0) * std::log(factor)), is_flux);
  };
}

std::vector<double> draw_missing(std::span<const LogNormal> levels, Rng& rng) {
  std::vector<double> missing;
  for (const LogNormal& level : levels) {
    const double present = level.draw(rng), wanted = level.draw(rng);
    missing.push_back(std::sqrt(std::max(0.0, wanted * wanted - present * present)));
  }
  return missing;
}

ViewStep blur(std::vector<LogNormal> widths) {
  return [widths = std::move(widths)](std::vector<ViewField>& fields, Rng& rng) {
    const std::vector<double> missing = draw_missing(widths, rng);
    const std::vector<std::span<float>> planes = planes_of(fields[0]);
    for (size_t band = 0; band < planes.size(); ++band)
      pixels::blur(planes[band], fields[0].shape()[-2], fields[0].shape()[-1], missing[band]);
  };
}

ViewStep add_noise(std::vector<LogNormal> levels) {
  return [levels = std::move(levels)](std::vector<ViewField>& fields, Rng& rng) {
    const std::vector<double> missing = draw_missing(levels, rng);
    const std::vector<std::span<float>> planes = planes_of(fields[0]);
    for (size_t band = 0; band < planes.size(); ++band) {
      if (missing[band] == 0.0) continue;
      for (float& value : planes[band]) value = static_cast<float>(value + missing[band] * rng.normal());
    }
  };
}

ViewStep add_coloured_noise(std::vector<LogNormal> levels, double correlation) {
  const double unit = 1.0 / deviation_after_blur(correlation);
  return [=, levels = std::move(levels)](std::vector<ViewField>& fields, Rng& rng) {
    const std::vector<double> missing = draw_missing(levels, rng);
    const std::vector<std::span<float>> planes = planes_of(fields[0]);
    std::vector<float> noise(planes[0].size());
    for (size_t band = 0; band < planes.size(); ++band) {
      if (missing[band] == 0.0) continue;
      for (float& value : noise) value = static_cast<float>(rng.normal());
      pixels::blur(noise, fields[0].shape()[-2], fields[0].shape()[-1], correlation);
      for (size_t i = 0; i < noise.size(); ++i)
        planes[band][i] = static_cast<float>(planes[band][i] + missing[band] * unit * noise[i]);
    }
  };
}

ViewStep channel_dropout(double rate) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    const std::vector<std::span<float>> planes = planes_of(fields[0]);
    const auto kept = static_cast<size_t>(rng.below(std::ssize(planes)));
    for (size_t plane = 0; plane < planes.size(); ++plane) {
      if (rng.uniform() < rate && plane != kept) std::ranges::fill(planes[plane], 0.0F);
    }
  };
}

ViewStep add_relative_noise(double level) {
  return [=](std::vector<ViewField>& fields, Rng& rng) {
    const double deviation = level * static_cast<double>(pixel_scatter(fields[0].values()));
    for (float& value : fields[0].editable()) value += static_cast<float>(deviation * rng.normal());
  };
}

ViewStep stretched(const pixels::Stretch& stretch) {
  return [=](std::vector<ViewField>& fields, Rng&) {
    std::vector<float> planes(fields[0].values().size());
    (stretch.kind == pixels::Stretch::Kind::rgb ? pixels::to_rgb : pixels::arcsinh)(fields[0].values(), stretch,
                                                                                    planes);
    fields[0].replace(fields[0].shape(), std::move(planes));
  };
}

}  // namespace astroclip::data
