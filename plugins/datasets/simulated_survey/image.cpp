#include "image.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "data/sky_levels.h"
#include "data/survey.h"
#include "neighbours.h"

namespace astroclip::simulation {

namespace {

constexpr int64_t side = data::image_side;
constexpr double middle = 0.5 * static_cast<double>(side - 1);

std::string letter_of(size_t band) { return std::string(1, band_letters[band]); }
const data::LogNormal& noise_of(size_t band) { return data::noise_fits().at(letter_of(band)); }
const data::LogNormal& psf_of(size_t band) { return data::psf_fits().at(letter_of(band)); }

/// Sérsic's b: half of the light lies within the half-light radius (Ciotti & Bertin 1999).
double sersic_b(double n) { return 2.0 * n - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25515.0 * n * n); }

/// The share of a profile's light within an ellipse of its shape, by the semi-major axis in half-light radii; of
/// indices n of which 2n is whole (Graham & Driver 2005, eq. 2: the incomplete gamma function of 2n).
double share_within(const Profile& profile, double axis) {
  const double t = sersic_b(profile.sersic_index) * std::pow(axis, 1.0 / profile.sersic_index);
  const auto terms = static_cast<int>(2.0 * profile.sersic_index);
  double term = 1.0, sum = 1.0;
  for (int k = 1; k < terms; ++k) sum += term *= t / k;
  return 1.0 - std::exp(-t) * sum;
}

/// A profile in pixels, normalised to unit flux.
struct PixelProfile {
  double n, b, cos_angle, sin_angle, major, minor, peak;

  explicit PixelProfile(const Profile& profile)
      : n(profile.sersic_index),
        b(sersic_b(n)),
        cos_angle(std::cos(profile.position_angle)),
        sin_angle(std::sin(profile.position_angle)),
        major(profile.radius / data::pixel_scale),
        minor(major * profile.axis_ratio),
        peak(std::pow(b, 2.0 * n) / (2.0 * std::numbers::pi * n * std::tgamma(2.0 * n) * major * minor)) {}

  /// In the plane of a disc, in half-light radii, of an offset on the sky in pixels; and back.
  std::array<double, 2> plane(double x, double y) const {
    return {(x * cos_angle + y * sin_angle) / major, (y * cos_angle - x * sin_angle) / minor};
  }
  std::array<double, 2> sky(double u, double v) const {
    return {u * major * cos_angle - v * minor * sin_angle, u * major * sin_angle + v * minor * cos_angle};
  }
  double at(double x, double y) const {
    const auto [u, v] = plane(x, y);
    return peak * std::exp(-b * root(u * u + v * v));
  }
  /// The radius to the power 1/n, of the radius squared. Roots are a third of the time of a power.
  double root(double squared) const {
    if (n == 1.0) return std::sqrt(squared);
    if (n == 4.0) return std::sqrt(std::sqrt(std::sqrt(squared)));
    return std::pow(squared, 0.5 / n);
  }
  /// The mean over a pixel, from a grid of points that is finer near the cusp.
  double over_pixel(double x, double y) const {
    const double nearness = std::max(std::abs(x), std::abs(y));
    const int points = nearness < 1.5 ? 21 : (nearness < 6.0 ? 5 : (nearness < 16.0 ? 2 : 1));
    double sum = 0.0;
    for (int i = 0; i < points; ++i) {
      for (int j = 0; j < points; ++j) {
        sum += at(x + (i + 0.5) / points - 0.5, y + (j + 0.5) / points - 0.5);
      }
    }
    return sum / (points * points);
  }
};

std::vector<float> gaussian_taps(double sigma) {
  const auto reach = static_cast<int64_t>(std::ceil(4.5 * sigma));
  std::vector<float> taps(static_cast<size_t>(2 * reach + 1));
  double sum = 0.0;
  for (int64_t i = -reach; i <= reach; ++i) sum += std::exp(-0.5 * std::pow(static_cast<double>(i) / sigma, 2));
  for (int64_t i = -reach; i <= reach; ++i) {
    taps[static_cast<size_t>(i + reach)] =
        static_cast<float>(std::exp(-0.5 * std::pow(static_cast<double>(i) / sigma, 2)) / sum);
  }
  return taps;
}

/// Along the first axis, whole rows at a time.
void blur_rows(std::span<const float> in, std::span<const float> taps, std::span<float> out) {
  const auto reach = static_cast<int64_t>(taps.size() / 2);
  std::fill(out.begin(), out.end(), 0.0F);
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t source = std::max<int64_t>(0, row - reach); source <= std::min(side - 1, row + reach); ++source) {
      const float tap = taps[static_cast<size_t>(source - row + reach)];
      const float* from = in.data() + source * side;
      float* to = out.data() + row * side;
      for (int64_t i = 0; i < side; ++i) to[i] += tap * from[i];
    }
  }
}

void transpose(std::span<const float> in, std::span<float> out) {
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j) out[static_cast<size_t>(j * side + i)] = in[static_cast<size_t>(i * side + j)];
}

}  // namespace

std::vector<float> sersic_stamp(const Profile& shape, std::array<double, 2> offset) {
  const PixelProfile profile(shape);
  std::vector<float> stamp(static_cast<size_t>(side * side));
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      stamp[static_cast<size_t>(y * side + x)] = static_cast<float>(
          profile.over_pixel(static_cast<double>(x) - middle - offset[0], static_cast<double>(y) - middle - offset[1]));
    }
  }
  return stamp;
}

void blur(std::span<float> stamp, double sigma) {
  const std::vector<float> taps = gaussian_taps(sigma);
  std::vector<float> work(stamp.size());
  for (int pass = 0; pass < 2; ++pass) {
    blur_rows(stamp, taps, work);
    transpose(work, stamp);
  }
}

Seeing draw_seeing(double scale, Rng& rng) {
  Seeing seeing;
  for (size_t b = 0; b < band_count; ++b) {
    seeing.noise[b] = scale * std::max(noise_of(b).draw(rng), 5e-4);
    seeing.psf[b] = psf_of(b).draw(rng);
  }
  return seeing;
}

Stamps galaxy_stamps(const Galaxy& galaxy, std::array<double, 2> offset) {
  Stamps stamps{sersic_stamp(galaxy.bulge, offset), sersic_stamp(galaxy.disc, offset), {}};
  const Structure& structure = galaxy.structure;
  const PixelProfile profile(galaxy.disc);
  const auto sum_of = [](std::span<const float> stamp) { return std::accumulate(stamp.begin(), stamp.end(), 0.0); };
  const double whole = sum_of(stamps.disc);
  stamps.young = stamps.disc;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const double dx = static_cast<double>(x) - middle - offset[0], dy = static_cast<double>(y) - middle - offset[1];
      const auto [u, v] = profile.plane(dx, dy);
      if (u * u + v * v > 36.0) continue;
      const Structure::Pattern pattern = structure.at(u, v);
      const auto pixel = static_cast<size_t>(y * side + x);
      stamps.disc[pixel] *= static_cast<float>(pattern.old);
      stamps.young[pixel] *= static_cast<float>(pattern.young);
    }
  }
  const auto scale_to = [&](std::span<float> stamp, double total) {
    const auto factor = static_cast<float>(total / sum_of(stamp));
    for (float& value : stamp) value *= factor;
  };
  double clumped = 0.0;
  for (const Structure::Clump& clump : structure.clumps) clumped += clump.share;
  scale_to(stamps.disc, whole);
  scale_to(stamps.young, whole * (1.0 - clumped));
  const auto add = [&](std::span<float> stamp, double u, double v, double share, const Profile& shape) {
    const auto [dx, dy] = profile.sky(u, v);
    add_neighbour({{middle + offset[0] + dx, middle + offset[1] + dy}, {whole * share}, shape}, 0, stamp);
  };
  for (const auto& [u, v, share] : structure.clumps) {
    add(stamps.young, u, v, share, {.radius = 0.12 * galaxy.disc.radius});
  }
  if (structure.companion_share > 0.0) {
    const auto [u, v] = structure.companion;
    Profile shape = galaxy.disc;
    shape.radius *= 0.6, shape.position_angle += 1.0;
    for (auto* stamp : {&stamps.disc, &stamps.young}) {
      scale_to(*stamp, whole * (1.0 - structure.companion_share));
      add(*stamp, u, v, structure.companion_share, shape);
    }
  }
  return stamps;
}

double half_light_radius(const Galaxy& galaxy, const PartFluxes& fluxes, size_t band) {
  const Profile &bulge = galaxy.bulge, &disc = galaxy.disc;
  const double bulge_flux = fluxes.bulge[band], disc_flux = fluxes.disc[band] + fluxes.young[band];
  const double rounder = bulge.axis_ratio / disc.axis_ratio;
  const auto flux_within = [&](double radius) {
    // The ellipse cuts the rounder isophotes of the bulge: the mean over directions in the plane in which these are
    // circles, of which a quarter is enough.
    constexpr int directions = 32;
    double share = 0.0;
    for (int i = 0; i < directions; ++i) {
      const double direction = 0.5 * std::numbers::pi * (i + 0.5) / directions;
      const double reach = radius / std::hypot(std::cos(direction), rounder * std::sin(direction));
      share += share_within(bulge, reach / bulge.radius) / directions;
    }
    return bulge_flux * share + disc_flux * share_within(disc, radius / disc.radius);
  };
  const double half = 0.5 * (bulge_flux + disc_flux);
  double low = 0.0, high = disc.radius;
  while (flux_within(high) < half) high *= 2.0;
  while (high - low > 1e-6 * high) {
    const double middle = 0.5 * (low + high);
    (flux_within(middle) < half ? low : high) = middle;
  }
  return high;
}

Image observe_image(const Galaxy& galaxy, const PartFluxes& fluxes, std::string_view bands, double noise, Rng rng) {
  Image image{{}, draw_seeing(noise, rng)};
  const std::array<double, 2> offset = {rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)};
  const std::vector<Neighbour> neighbours = draw_neighbours(rng);
  const Stamps stamps = galaxy_stamps(galaxy, offset);
  std::vector<float> light(stamps.disc.size());
  for (const char letter : bands) {
    const size_t b = band_letters.find(letter);
    for (size_t i = 0; i < light.size(); ++i) {
      light[i] = static_cast<float>(fluxes.bulge[b] * stamps.bulge[i] + fluxes.disc[b] * stamps.disc[i] +
                                    fluxes.young[b] * stamps.young[i]);
    }
    for (const Neighbour& neighbour : neighbours) add_neighbour(neighbour, static_cast<int64_t>(b), light);
    blur(light, image.seeing.psf[b]);
    for (float& value : light) value = static_cast<float>(value + image.seeing.noise[b] * rng.normal());
    if (noise > 0.0) add_defects(light, rng);
    image.flux.insert(image.flux.end(), light.begin(), light.end());
  }
  return image;
}

Photometry observe_photometry(const Galaxy& galaxy, const BandFluxes& fluxes, double noise, Rng& rng) {
  constexpr double calibration = 0.01;
  const double radius = galaxy.disc.radius / data::pixel_scale;
  Photometry seen{};
  for (size_t b = 0; b < fluxes.size(); ++b) {
    const data::LogNormal& level = noise_of(b);
    const double area = 4.0 * std::numbers::pi * (radius * radius * galaxy.disc.axis_ratio + 4.0);
    const double sky = (level.loc + level.scale) * std::sqrt(area);
    const double flux = fluxes[b] + noise * std::hypot(sky, calibration * fluxes[b]) * rng.normal();
    seen.magnitudes[b] = magnitude_of(flux);
    // The true flux is not known to whoever estimates the error.
    seen.errors[b] = magnitude_error(flux, noise * std::hypot(sky, calibration * flux));
  }
  return seen;
}

}  // namespace astroclip::simulation
