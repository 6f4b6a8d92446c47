#include "image.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/survey.h"
#include "spectrum.h"

namespace astroclip::simulation {

namespace {

constexpr int64_t side = data::image_side;
constexpr double light_speed = 2.99792458e18;  // Å/s
constexpr double nanomaggy = 3.6307805e-29;    // erg/s/cm²/Hz

/// Edges at half height and their softness, Å, after DECam's filters; z falls off with the detector and the water
/// bands.
struct Band {
  double blue, red, blue_width, red_width, slope;
};
constexpr std::array<Band, band_count> band_shapes = {
    {{3990.0, 5480.0, 25.0, 15.0, 0.9}, {5680.0, 7150.0, 15.0, 20.0, 0.3}, {8490.0, 9970.0, 20.0, 25.0, -1.8}}};

struct LogNormal {
  double shape, loc, scale;
  double draw(Rng& rng) const { return loc + scale * std::exp(shape * rng.normal()); }
};
constexpr std::array<LogNormal, band_count> noise_levels = {
    {{0.2264926, -0.0006735, 0.0037602}, {0.2431146, -0.0023663, 0.0067417}, {0.1334844, -0.0143416, 0.0260779}}};
constexpr std::array<LogNormal, band_count> psf_levels = {
    {{0.2109966, 1.0807153, 1.3153171}, {0.3008485, 1.2394326, 0.9164757}, {0.3471172, 1.1928363, 0.8233702}}};

/// T·λ of every band, and Σ T·c/λ; the step cancels.
struct Weights {
  std::array<std::vector<float>, band_count> photons;
  BandFluxes norm{};
};

Weights make_weights() {
  Weights weights;
  for (int64_t b = 0; b < band_count; ++b) {
    const auto band = static_cast<size_t>(b);
    weights.photons[band].resize(static_cast<size_t>(model_pixels));
    for (int64_t i = 0; i < model_pixels; ++i) {
      const double wavelength = model_wavelength(i), response = band_response(b, wavelength);
      weights.photons[band][static_cast<size_t>(i)] = static_cast<float>(response * wavelength);
      weights.norm[band] += response * light_speed / wavelength;
    }
  }
  return weights;
}

/// Sérsic's b: half of the light lies within the half-light radius (Ciotti & Bertin 1999).
double sersic_b(double n) { return 2.0 * n - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25515.0 * n * n); }

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

  double at(double x, double y) const {
    const double u = (x * cos_angle + y * sin_angle) / major, v = (y * cos_angle - x * sin_angle) / minor;
    return peak * std::exp(-b * std::pow(u * u + v * v, 0.5 / n));
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

double band_response(int64_t band, double wavelength) {
  const Band& shape = band_shapes[static_cast<size_t>(band)];
  const double rise = 1.0 / (1.0 + std::exp((shape.blue - wavelength) / shape.blue_width));
  const double fall = 1.0 / (1.0 + std::exp((wavelength - shape.red) / shape.red_width));
  return rise * fall * std::pow(wavelength / (0.5 * (shape.blue + shape.red)), shape.slope);
}

BandFluxes band_fluxes(std::span<const float> spectrum) {
  static const Weights weights = make_weights();
  BandFluxes fluxes{};
  for (size_t b = 0; b < fluxes.size(); ++b) {
    double sum = 0.0;
    for (size_t i = 0; i < spectrum.size(); ++i) sum += static_cast<double>(spectrum[i]) * weights.photons[b][i];
    fluxes[b] = sum * 1e-17 / weights.norm[b] / nanomaggy;
  }
  return fluxes;
}

double magnitude_of(double nanomaggies) { return data::zero_point - 2.5 * std::log10(std::max(nanomaggies, 1e-3)); }

std::vector<float> sersic_stamp(const Profile& shape, std::array<double, 2> offset) {
  const PixelProfile profile(shape);
  constexpr double middle = 0.5 * static_cast<double>(side - 1);
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
  for (size_t b = 0; b < noise_levels.size(); ++b) {
    seeing.noise[b] = scale * std::max(noise_levels[b].draw(rng), 5e-4);
    seeing.psf[b] = psf_levels[b].draw(rng);
  }
  return seeing;
}

std::vector<float> observe_image(const Galaxy& galaxy, const ComponentFluxes& fluxes, double noise, Rng rng) {
  const Seeing seeing = draw_seeing(noise, rng);
  const std::array<double, 2> offset = {rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)};
  const std::vector<float> bulge = sersic_stamp(galaxy.bulge, offset), disc = sersic_stamp(galaxy.disc, offset);
  std::vector<float> image(disc.size() * band_count), light(disc.size());
  for (size_t b = 0; b < fluxes.disc.size(); ++b) {
    for (size_t i = 0; i < light.size(); ++i) {
      light[i] = static_cast<float>(fluxes.bulge[b] * bulge[i] + fluxes.disc[b] * disc[i]);
    }
    blur(light, seeing.psf[b]);
    for (size_t i = 0; i < light.size(); ++i) {
      image[b * light.size() + i] = static_cast<float>(light[i] + seeing.noise[b] * rng.normal());
    }
  }
  return image;
}

BandFluxes observe_photometry(const Galaxy& galaxy, const BandFluxes& fluxes, double noise, Rng rng) {
  const double radius = galaxy.disc.radius / data::pixel_scale;
  BandFluxes magnitudes{};
  for (size_t b = 0; b < fluxes.size(); ++b) {
    const LogNormal& level = noise_levels[b];
    const double area = 4.0 * std::numbers::pi * (radius * radius * galaxy.disc.axis_ratio + 4.0);
    const double sky = (level.loc + level.scale) * std::sqrt(area);
    const double error = noise * std::hypot(sky, 0.01 * fluxes[b]);
    magnitudes[b] = magnitude_of(fluxes[b] + error * rng.normal());
  }
  return magnitudes;
}

}  // namespace astroclip::simulation
