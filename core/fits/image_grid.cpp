#include "fits/image_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::fits {

namespace {

constexpr double degree = std::numbers::pi / 180.0;
constexpr double arcsec_per_degree = 3600.0;

/// Where the pixels of the result lie in the source, from 0; bilinear weights reach one pixel further.
struct Sampling {
  double centre_x, centre_y;
  double step[2][2];  ///< source (x, y) for one pixel of the result to the right, and up

  Sampling(int64_t height, int64_t width, const TangentPlane& plane)
      : centre_x(0.5 * static_cast<double>(width - 1)), centre_y(0.5 * static_cast<double>(height - 1)) {
    const double determinant = plane.cd[0][0] * plane.cd[1][1] - plane.cd[0][1] * plane.cd[1][0];
    if (!std::isfinite(determinant) || determinant == 0.0) {
      throw Error("its header gives no pixel scale: the CD matrix is singular");
    }
    const double scale = data::pixel_scale / arcsec_per_degree / determinant;
    // To the right is west, that is minus east.
    step[0][0] = -scale * plane.cd[1][1];
    step[0][1] = scale * plane.cd[1][0];
    step[1][0] = -scale * plane.cd[0][1];
    step[1][1] = scale * plane.cd[0][0];
  }
  std::pair<double, double> at(int64_t x, int64_t y) const {
    const double right = static_cast<double>(x) - 0.5 * (data::image_side - 1);
    const double up = static_cast<double>(y) - 0.5 * (data::image_side - 1);
    return {centre_x + right * step[0][0] + up * step[1][0], centre_y + right * step[0][1] + up * step[1][1]};
  }
};

void check_extent(const Sampling& sampling, int64_t height, int64_t width) {
  constexpr double slack = 0.01;  // pixels; for scales that are rounded in the header
  for (const int64_t y : {int64_t{0}, data::image_side - 1}) {
    for (const int64_t x : {int64_t{0}, data::image_side - 1}) {
      const auto [from_x, from_y] = sampling.at(x, y);
      if (from_x < -slack || from_y < -slack || from_x > static_cast<double>(width - 1) + slack ||
          from_y > static_cast<double>(height - 1) + slack) {
        const double side_x = std::hypot(sampling.step[0][0], sampling.step[0][1]);
        throw Error(fmt::format("too small: {} x {} pixels of {:.3f}\" do not hold {} x {} pixels of {}\"", width,
                                height, data::pixel_scale / side_x, data::image_side, data::image_side, data::pixel_scale));
      }
    }
  }
}

void check_band(std::span<const float> band, char name) {
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

double separation(const SkyPosition& a, const SkyPosition& b) {
  const double ra = std::sin(0.5 * degree * (a.ra - b.ra)), dec = std::sin(0.5 * degree * (a.dec - b.dec));
  const double h = dec * dec + std::cos(a.dec * degree) * std::cos(b.dec * degree) * ra * ra;
  return 2.0 * std::asin(std::min(1.0, std::sqrt(h))) / degree;
}

SkyPosition TangentPlane::position_of(double x, double y) const {
  const double dx = x - reference_x, dy = y - reference_y;
  const double east = (cd[0][0] * dx + cd[0][1] * dy) * degree, north = (cd[1][0] * dx + cd[1][1] * dy) * degree;
  const double sine = std::sin(reference.dec * degree), cosine = std::cos(reference.dec * degree);
  const double forward = cosine - north * sine;
  const double ra = reference.ra + std::atan2(east, forward) / degree;
  const double dec = std::atan2(sine + north * cosine, std::hypot(east, forward)) / degree;
  return {std::fmod(ra + 360.0, 360.0), dec};
}

std::vector<float> survey_cutout(std::span<const double> planes, int64_t height, int64_t width,
                                 const TangentPlane& projection) {
  const Sampling sampling(height, width, projection);
  check_extent(sampling, height, width);
  std::vector<float> result(static_cast<size_t>(data::bands * data::image_side * data::image_side));
  for (int64_t y = 0; y < data::image_side; ++y) {
    for (int64_t x = 0; x < data::image_side; ++x) {
      auto [from_x, from_y] = sampling.at(x, y);
      from_x = std::clamp(from_x, 0.0, static_cast<double>(width - 1));
      from_y = std::clamp(from_y, 0.0, static_cast<double>(height - 1));
      const auto left = std::min(static_cast<int64_t>(from_x), std::max<int64_t>(0, width - 2));
      const auto low = std::min(static_cast<int64_t>(from_y), std::max<int64_t>(0, height - 2));
      const double tx = from_x - static_cast<double>(left), ty = from_y - static_cast<double>(low);
      for (int64_t band = 0; band < data::bands; ++band) {
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
  for (size_t band = 0; band < static_cast<size_t>(data::bands); ++band) {
    check_band(std::span(result).subspan(band * plane, plane), data::band_names[band]);
  }
  return result;
}

}  // namespace astroclip::fits
