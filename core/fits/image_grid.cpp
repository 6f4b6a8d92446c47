#include "fits/image_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::fits {

namespace {

constexpr int64_t last_pixel = data::image_side - 1;
constexpr double middle_pixel = 0.5 * static_cast<double>(last_pixel);

struct Weighted {
  double sum = 0.0, weight = 0.0;
};

}  // namespace

Sampling::Sampling(const Wcs& source, const SkyPosition& centre) : centre_(centre) {
  const Wcs target = Wcs::tangent(centre, {middle_pixel + 1.0, middle_pixel + 1.0}, data::pixel_scale / 3600.0);
  const auto source_pixel = [&](double x, double y) {
    const Pixel pixel = source.pixel_of(target.position_of({x + 1.0, y + 1.0}));
    return Pixel{pixel.x - 1.0, pixel.y - 1.0};
  };
  const Pixel middle = source_pixel(middle_pixel, middle_pixel);
  const Pixel right = source_pixel(middle_pixel + 1.0, middle_pixel),
              up = source_pixel(middle_pixel, middle_pixel + 1.0);
  area_ = std::abs((right.x - middle.x) * (up.y - middle.y) - (right.y - middle.y) * (up.x - middle.x));

  const auto is_parallel = [&](double x, double y) {
    constexpr double slack = 0.25;  // pixels
    const Pixel pixel = source_pixel(x, y);
    return std::abs(pixel.x - middle.x - (x - middle_pixel)) < slack &&
           std::abs(pixel.y - middle.y - (y - middle_pixel)) < slack;
  };
  constexpr auto last = static_cast<double>(last_pixel), side = static_cast<double>(data::image_side);
  is_cut_ = is_parallel(0.0, 0.0) && is_parallel(last, 0.0) && is_parallel(0.0, last) && is_parallel(last, last);
  if (is_cut_) {
    // A hair is taken off, so that a place between two pixels goes to the same one whatever the rounding.
    const double x = std::round(middle.x - middle_pixel - 1e-6), y = std::round(middle.y - middle_pixel - 1e-6);
    step_ = data::image_side;
    lattice_ = {{x, y}, {x + side, y}, {x, y + side}, {x + side, y + side}};
    centre_ = source.position_of({x + middle_pixel + 1.0, y + middle_pixel + 1.0});
    return;
  }
  for (int64_t y = 0; y <= data::image_side; y += step_) {
    for (int64_t x = 0; x <= data::image_side; x += step_) {
      lattice_.push_back(source_pixel(static_cast<double>(x), static_cast<double>(y)));
    }
  }
}

Pixel Sampling::at(int64_t x, int64_t y) const {
  const int64_t left = x / step_, low = y / step_, side = data::image_side / step_ + 1;
  const auto step = static_cast<double>(step_);
  const double tx = static_cast<double>(x % step_) / step, ty = static_cast<double>(y % step_) / step;
  const Pixel* corner = lattice_.data() + low * side + left;
  const auto between = [&](double Pixel::*axis) {
    return (1.0 - ty) * ((1.0 - tx) * corner[0].*axis + tx * corner[1].*axis) +
           ty * ((1.0 - tx) * corner[side].*axis + tx * corner[side + 1].*axis);
  };
  return {between(&Pixel::x), between(&Pixel::y)};
}

double Sampling::source_scale() const { return data::pixel_scale / std::sqrt(area_); }

PixelWindow Sampling::window(int64_t width, int64_t height) const {
  Pixel least = lattice_[0], most = lattice_[0];
  for (const Pixel& pixel : lattice_) {
    least = {std::min(least.x, pixel.x), std::min(least.y, pixel.y)};
    most = {std::max(most.x, pixel.x), std::max(most.y, pixel.y)};
  }
  // The lattice ends one pixel after the image's last one, which holds the second pixel that weights need.
  const auto whole = [](double value, int64_t limit) {
    return std::clamp<int64_t>(static_cast<int64_t>(std::floor(value)), 0, limit);
  };
  const int64_t x = whole(least.x - 1.0, width - 1), y = whole(least.y - 1.0, height - 1);
  return {x, y, whole(most.x + 2.0, width) - x, whole(most.y + 2.0, height) - y};
}

double Sampling::margin(int64_t width, int64_t height) const {
  double margin = static_cast<double>(std::max(width, height));
  for (const int64_t y : {int64_t{0}, last_pixel}) {
    for (const int64_t x : {int64_t{0}, last_pixel}) {
      const Pixel corner = at(x, y);
      margin = std::min({margin, corner.x, corner.y, static_cast<double>(width - 1) - corner.x,
                         static_cast<double>(height - 1) - corner.y});
    }
  }
  return margin;
}

std::vector<float> Sampling::apply(std::span<const double> pixels, std::span<const uint8_t> measured,
                                   const PixelWindow& window, PixelValues values) const {
  const double factor = values == PixelValues::flux ? area_ : 1.0;
  std::vector<float> image(static_cast<size_t>(data::image_side * data::image_side));
  if (is_cut_) {
    const auto first_x = static_cast<int64_t>(lattice_[0].x) - window.x;
    const auto first_y = static_cast<int64_t>(lattice_[0].y) - window.y;
    for (int64_t y = 0; y < data::image_side; ++y) {
      const auto from = static_cast<size_t>((first_y + y) * window.width + first_x);
      const auto to = static_cast<size_t>(y * data::image_side);
      for (size_t x = 0; x < static_cast<size_t>(data::image_side); ++x) {
        const bool is_measured = measured.empty() || measured[from + x] != 0;
        image[to + x] = is_measured ? static_cast<float>(factor * pixels[from + x]) : 0.0F;
      }
    }
    return image;
  }
  const auto add = [&](Weighted& total, int64_t x, int64_t y, double weight) {
    const auto index = static_cast<size_t>(y * window.width + x);
    if (weight == 0.0 || (!measured.empty() && measured[index] == 0)) return;
    total.sum += weight * pixels[index];
    total.weight += weight;
  };
  // Bilinear between the centres of pixels, of the outermost ones beyond them.
  const auto add_between = [&](Weighted& total, double x, double y) {
    x = std::clamp(x - static_cast<double>(window.x), 0.0, static_cast<double>(window.width - 1));
    y = std::clamp(y - static_cast<double>(window.y), 0.0, static_cast<double>(window.height - 1));
    const int64_t left = std::min(static_cast<int64_t>(x), window.width - 2);
    const int64_t low = std::min(static_cast<int64_t>(y), window.height - 2);
    const double tx = x - static_cast<double>(left), ty = y - static_cast<double>(low);
    add(total, left, low, (1.0 - tx) * (1.0 - ty));
    add(total, left + 1, low, tx * (1.0 - ty));
    add(total, left, low + 1, (1.0 - tx) * ty);
    add(total, left + 1, low + 1, tx * ty);
  };
  // A pixel of the image that is larger than those of the source is summed over points within it.
  const auto points = values == PixelValues::brightness
                          ? int64_t{1}
                          : std::max<int64_t>(1, static_cast<int64_t>(std::ceil(std::sqrt(area_) - 0.05)));
  for (int64_t y = 0; y < data::image_side; ++y) {
    for (int64_t x = 0; x < data::image_side; ++x) {
      const Pixel centre = at(x, y);
      Weighted total;
      if (points == 1) {
        add_between(total, centre.x, centre.y);
      } else {
        const Pixel next_x = at(x == last_pixel ? x - 1 : x + 1, y), next_y = at(x, y == last_pixel ? y - 1 : y + 1);
        for (int64_t j = 0; j < points; ++j) {
          for (int64_t i = 0; i < points; ++i) {
            const double dx = (static_cast<double>(i) + 0.5) / static_cast<double>(points) - 0.5;
            const double dy = (static_cast<double>(j) + 0.5) / static_cast<double>(points) - 0.5;
            add_between(total, centre.x + dx * (next_x.x - centre.x) + dy * (next_y.x - centre.x),
                        centre.y + dx * (next_x.y - centre.y) + dy * (next_y.y - centre.y));
          }
        }
      }
      const double least = 0.5 * static_cast<double>(points * points);
      image[static_cast<size_t>(y * data::image_side + x)] =
          total.weight < least ? 0.0F : static_cast<float>(factor * total.sum / total.weight);
    }
  }
  return image;
}

void check_band(std::span<const float> band, const std::string& name) {
  int64_t bad = 0, zeros = 0;
  float least = band[0], most = band[0];
  for (const float value : band) {
    bad += std::isfinite(value) ? 0 : 1;
    zeros += value == 0.0F ? 1 : 0;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  if (bad > 0) throw Error(fmt::format("{} of {} pixels in {} are not finite", bad, band.size(), name));
  const double share = static_cast<double>(zeros) / static_cast<double>(band.size());
  if (share > data::zero_share_limit) {
    throw Error(fmt::format("{:.0f} % of the pixels in {} are exactly 0 or not measured, the limit is {:.0f} %",
                            100.0 * share, name, 100.0 * data::zero_share_limit));
  }
  if (least == most) throw Error(fmt::format("all pixels in {} are {}: nothing was observed", name, least));
}

}  // namespace astroclip::fits
