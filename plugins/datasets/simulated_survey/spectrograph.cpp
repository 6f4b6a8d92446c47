#include "spectrograph.h"

#include <algorithm>
#include <cmath>

#include "data/survey.h"

namespace astroclip::simulation {

namespace {

/// Of the sky: the strong lines of [OI] and Na, and a forest of OH beyond 6800 Å.
std::vector<double> sky_line_wavelengths() {
  std::vector<double> lines = {5578.9, 5891.6, 5897.6, 6302.0, 6365.5};
  Rng rng(0, RngStream::simulation, 1u << 20);
  for (double wavelength = 6830.0; wavelength < 9830.0; wavelength += rng.uniform(8.0, 32.0)) {
    lines.push_back(wavelength);
  }
  return lines;
}

/// Of height 1, through the spectrograph.
const std::vector<float>& sky_lines() {
  static const std::vector<float> profile = [] {
    std::vector<float> sum(static_cast<size_t>(data::spectrum_pixels));
    for (const double line : sky_line_wavelengths()) {
      const auto centre = static_cast<int64_t>((line - data::first_wavelength) / data::wavelength_step);
      for (int64_t i = std::max<int64_t>(centre - 6, 0); i < std::min(centre + 8, data::spectrum_pixels); ++i) {
        const double t = (data::wavelength_of(i) - line) / spectrograph_sigma;
        sum[static_cast<size_t>(i)] += static_cast<float>(std::exp(-0.5 * t * t));
      }
    }
    return sum;
  }();
  return profile;
}

constexpr double sky_line_noise = 1.5;   // 1e-17 erg/s/cm²/Å, at the peak of a line
constexpr double sky_line_flux = 100.0;  // the same, of the line itself

std::vector<float> make_spectrograph_noise() {
  std::vector<float> noise(static_cast<size_t>(data::spectrum_pixels));
  for (int64_t i = 0; i < data::spectrum_pixels; ++i) {
    const double wavelength = data::wavelength_of(i);
    // Little throughput in the blue, falling again at the red end, and where the arms meet.
    double sigma =
        0.80 + 2.6 * std::exp(-(wavelength - 3600.0) / 300.0) + 0.5 * std::exp((wavelength - 9824.0) / 200.0);
    for (const double arm : {5780.0, 7570.0}) sigma += 0.3 * std::exp(-0.5 * std::pow((wavelength - arm) / 40.0, 2));
    noise[static_cast<size_t>(i)] = static_cast<float>(sigma + sky_line_noise * sky_lines()[static_cast<size_t>(i)]);
  }
  return noise;
}

double feature_chi2(std::span<const float> model, std::span<const float> ivar) {
  constexpr size_t reach = 125;
  std::vector<double> sums = {0.0};
  for (const float value : model) sums.push_back(sums.back() + value);
  double chi2 = 0.0;
  for (size_t i = reach; i + reach < model.size(); ++i) {
    const double mean = (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1);
    chi2 += ivar[i] * (model[i] - mean) * (model[i] - mean);
  }
  return chi2;
}

/// A cosmic ray spoils a few pixels of one in about three hundred.
void mask_pixels(FibreSpectrum& seen, Rng& rng) {
  for (size_t i = 0; i < seen.flux.size(); ++i) {
    if (rng.uniform() > 0.0015) continue;
    for (const size_t end = std::min(seen.flux.size(), i + 1 + static_cast<size_t>(rng.below(3))); i < end; ++i) {
      seen.flux[i] = seen.ivar[i] = 0.0F;
    }
  }
}

}  // namespace

std::span<const float> spectrograph_noise() {
  static const std::vector<float> noise = make_spectrograph_noise();
  return noise;
}

double fibre_fraction(const Profile& profile, double seeing) {
  // Half the light lies within the half-light radius of the blurred profile.
  const double radius = std::hypot(profile.radius * std::sqrt(profile.axis_ratio), 0.5 * seeing);
  return 1.0 - std::pow(2.0, -std::pow(0.75 / radius, 1.3));
}

Exposure draw_exposure(double noise, Rng& rng) {
  return {.seeing = std::clamp(1.1 * std::exp(0.15 * rng.normal()), 0.7, 2.0),
          .calibration = std::pow(10.0, 0.1 * noise * rng.normal()),
          .tilt = 0.06 * noise * rng.normal(),
          .noise = noise * std::exp(0.2 * rng.normal()),
          .sky_residual = 0.01 * noise * rng.normal()};
}

FibreSpectrum observe_spectrum(const Galaxy& galaxy, const ModelLight& light, const Exposure& exposure, Rng& rng) {
  const double bulge = exposure.calibration * fibre_fraction(galaxy.bulge, exposure.seeing);
  const double disc = exposure.calibration * fibre_fraction(galaxy.disc, exposure.seeing);
  std::vector<float> model(light.disc.size());
  for (size_t i = 0; i < model.size(); ++i) {
    model[i] = static_cast<float>(bulge * light.bulge[i] + disc * (light.disc[i] + light.young[i]));
  }
  broaden(model, galaxy.velocity_sigma);
  const auto sky = spectrograph_noise();
  model.resize(sky.size());
  FibreSpectrum seen{std::vector<float>(sky.size()), std::vector<float>(sky.size())};
  for (size_t i = 0; i < sky.size(); ++i) {
    const double colour = 1.0 + exposure.tilt * (static_cast<double>(i) / static_cast<double>(sky.size()) - 0.5);
    model[i] = static_cast<float>(colour * (model[i] + disc * light.lines[i]));
    // Photons of the source: as many units of variance per unit of flux as bright time's sky leaves at 6500 Å.
    const double variance =
        exposure.noise * exposure.noise * (static_cast<double>(sky[i]) * sky[i] + 0.05 * std::max(model[i], 0.0F));
    const double residual = exposure.sky_residual * sky_line_flux * sky_lines()[i];
    seen.flux[i] = static_cast<float>(model[i] + residual + std::sqrt(variance) * rng.normal());
    seen.ivar[i] = variance > 0.0 ? static_cast<float>(1.0 / variance) : 0.0F;
  }
  if (exposure.noise > 0.0) mask_pixels(seen, rng);
  seen.feature_chi2 = exposure.noise > 0.0 ? feature_chi2(model, seen.ivar) : 1e9;
  return seen;
}

PipelineFit fit_redshift(const Galaxy& galaxy, const FibreSpectrum& seen, Rng rng) {
  const double log_error = -4.3 + 0.15 * rng.normal(), scatter = rng.normal(), shuffle = rng.normal();
  const double wrong = rng.uniform(), anywhere = rng.uniform(0.0, 1.6);
  PipelineFit fit{.redshift = 0.0,
                  .error = (1.0 + galaxy.redshift) * std::pow(10.0, log_error) *
                           std::clamp(30.0 / std::sqrt(seen.feature_chi2 + 1.0), 0.5, 10.0),
                  .delta_chi2 = seen.feature_chi2 * std::exp(0.3 * shuffle),
                  .warning = 0.0,
                  .is_quasar = 0.0};
  fit.redshift = galaxy.redshift + fit.error * scatter;
  // A poor fit may be anywhere, and is flagged; of the good ones few are wrong.
  constexpr double good = 40.0;
  if (fit.delta_chi2 < good) fit.warning = 4.0;
  if (wrong < (fit.delta_chi2 < good ? 0.5 : 0.003)) {
    fit.redshift = anywhere;
    fit.is_quasar = anywhere > 1.2 ? 1.0 : 0.0;
  }
  if (galaxy.gas.log_nucleus > 41.2) fit.is_quasar = 1.0;
  return fit;
}

}  // namespace astroclip::simulation
