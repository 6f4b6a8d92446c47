#include "fits/image_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::fits {

namespace {

/// Where the pixels of the result, from 0, lie in the source, from 0.
class Sampling {
 public:
  Sampling(const Wcs& source, int64_t height, int64_t width)
      : source_(source),
        target_(Wcs::tangent(source.position_of({middle(width), middle(height)}),
                             {middle(data::image_side), middle(data::image_side)}, data::pixel_scale / 3600.0)) {}
  Pixel at(int64_t x, int64_t y) const {
    const Pixel pixel = source_.pixel_of(target_.position_of({static_cast<double>(x + 1), static_cast<double>(y + 1)}));
    return {pixel.x - 1.0, pixel.y - 1.0};
  }

 private:
  static double middle(int64_t side) { return 0.5 * static_cast<double>(side + 1); }

  const Wcs& source_;
  Wcs target_;
};

void check_extent(const Sampling& sampling, int64_t height, int64_t width) {
  constexpr double slack = 0.01;  // pixels; for scales that are rounded in the header
  constexpr int64_t last = data::image_side - 1;
  for (const auto& [x, y] : {std::pair<int64_t, int64_t>(0, 0), {last, 0}, {0, last}, {last, last}}) {
    const Pixel from = sampling.at(x, y);
    if (from.x >= -slack && from.y >= -slack && from.x <= static_cast<double>(width - 1) + slack &&
        from.y <= static_cast<double>(height - 1) + slack) {
      continue;
    }
    const Pixel first = sampling.at(last / 2, last / 2), next = sampling.at(last / 2 + 1, last / 2);
    throw Error(fmt::format("too small: {} x {} pixels of {:.3f}\" do not hold {} x {} pixels of {}\", north up", width,
                            height, data::pixel_scale / std::hypot(next.x - first.x, next.y - first.y),
                            data::image_side, data::image_side, data::pixel_scale));
  }
}

void check_band(std::span<const float> band, const std::string& name) {
  const auto bad = std::ranges::count_if(band, [](float value) { return !std::isfinite(value); });
  if (bad > 0) throw Error(fmt::format("{} of {} pixels in {} are not finite", bad, band.size(), name));
  const auto zeros = static_cast<double>(std::ranges::count(band, 0.0F));
  const double share = zeros / static_cast<double>(band.size());
  if (share > zero_share_limit) {
    throw Error(fmt::format("{:.0f} % of the pixels in {} are exactly 0, the limit is {:.0f} %", 100.0 * share, name,
                            100.0 * zero_share_limit));
  }
}

}  // namespace

std::vector<float> survey_cutout(std::span<const double> planes, int64_t height, int64_t width, const Wcs& wcs) {
  const Sampling sampling(wcs, height, width);
  check_extent(sampling, height, width);
  const int64_t bands = std::ssize(planes) / (height * width);
  std::vector<float> result(static_cast<size_t>(bands * data::image_side * data::image_side));
  for (int64_t y = 0; y < data::image_side; ++y) {
    for (int64_t x = 0; x < data::image_side; ++x) {
      auto [from_x, from_y] = sampling.at(x, y);
      from_x = std::clamp(from_x, 0.0, static_cast<double>(width - 1));  // bilinear weights reach one pixel further
      from_y = std::clamp(from_y, 0.0, static_cast<double>(height - 1));
      const auto left = std::min(static_cast<int64_t>(from_x), std::max<int64_t>(0, width - 2));
      const auto low = std::min(static_cast<int64_t>(from_y), std::max<int64_t>(0, height - 2));
      const double tx = from_x - static_cast<double>(left), ty = from_y - static_cast<double>(low);
      for (int64_t band = 0; band < bands; ++band) {
        const auto pixel = [&](int64_t dx, int64_t dy) {
          return planes[static_cast<size_t>((band * height + low + dy) * width + left + dx)];
        };
        const double below = (1.0 - tx) * pixel(0, 0) + tx * pixel(1, 0);
        const double above = (1.0 - tx) * pixel(0, 1) + tx * pixel(1, 1);
        result[static_cast<size_t>((band * data::image_side + y) * data::image_side + x)] =
            static_cast<float>((1.0 - ty) * below + ty * above);
      }
    }
  }
  const auto plane = static_cast<size_t>(data::image_side * data::image_side);
  for (int64_t band = 0; band < bands; ++band) {
    check_band(std::span(result).subspan(static_cast<size_t>(band) * plane, plane), data::band_name(band, bands));
  }
  return result;
}

}  // namespace astroclip::fits
