#include "lines.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "bands.h"
#include "spectrograph.h"

namespace astroclip::simulation {

namespace {

constexpr double solar_luminosity = 3.839e33;  // erg/s, that of the table of stars
constexpr double light_speed = 299792.458;     // km/s

}  // namespace

LineLuminosities star_forming_lines(double rate, double oxygen) {
  const double alpha = std::pow(10.0, 41.27) * rate, beta = alpha / 2.86;
  const double n2 = std::clamp(std::pow(10.0, (oxygen - 8.90) / 0.57), 0.02, 0.6);
  const double o3 = std::clamp(n2 * std::pow(10.0, (8.73 - oxygen) / 0.32), 0.1, 6.0);
  const double oxygen2 = alpha * std::clamp(16.73 - 1.75 * oxygen, 0.4, 2.0), oxygen3 = o3 * beta;
  return {0.43 * oxygen2, 0.57 * oxygen2, 0.07 * oxygen3, 0.259 * beta, 0.468 * beta,      beta,
          oxygen3 / 2.98, oxygen3,        0.12 * beta,    0.03 * alpha, n2 * alpha / 2.96, alpha,
          n2 * alpha,     0.18 * alpha,   0.13 * alpha};
}

LineLuminosities nuclear_lines(double oxygen_luminosity) {
  const double beta = oxygen_luminosity / 8.0, alpha = 3.1 * beta, oxygen2 = 0.4 * oxygen_luminosity;
  return {0.43 * oxygen2,
          0.57 * oxygen2,
          0.10 * oxygen_luminosity,
          0.259 * beta,
          0.468 * beta,
          beta,
          oxygen_luminosity / 2.98,
          oxygen_luminosity,
          0.12 * beta,
          0.15 * alpha,
          1.1 * alpha / 2.96,
          alpha,
          1.1 * alpha,
          0.27 * alpha,
          0.25 * alpha};
}

void add_lines(const Galaxy& galaxy, std::span<float> flux) {
  const double rate = galaxy.history.formed * galaxy.history.smooth_share(0.0, 0.01) / 1e7;
  LineLuminosities luminosities = star_forming_lines(rate, galaxy.gas.oxygen);
  if (galaxy.gas.log_nucleus > 0.0) {
    const LineLuminosities nucleus = nuclear_lines(std::pow(10.0, galaxy.gas.log_nucleus));
    for (size_t l = 0; l < nucleus.size(); ++l) luminosities[l] += nucleus[l];
  }
  const double stretch = 1.0 + galaxy.redshift, scale = dilution_at(galaxy.redshift) / solar_luminosity;
  for (size_t l = 0; l < emission_lines.size(); ++l) {
    const double rest = emission_lines[l].wavelength, centre = rest * stretch;
    const double sigma = std::hypot(galaxy.gas.velocity_sigma / light_speed * centre, spectrograph_sigma);
    const double dust = std::pow(10.0, -0.4 * galaxy.dust / 0.44 * calzetti_curve(rest));
    // The dilution is per observed Å; a line's integral over the observed Å carries the factor back.
    const double peak = luminosities[l] * dust * scale * stretch / (sigma * std::sqrt(2.0 * std::numbers::pi));
    const auto first = static_cast<int64_t>(std::ceil((centre - 6.0 * sigma - model_wavelength(0)) / 0.8));
    const auto last = static_cast<int64_t>((centre + 6.0 * sigma - model_wavelength(0)) / 0.8);
    for (int64_t i = std::max<int64_t>(first, 0); i <= std::min(last, model_pixels - 1); ++i) {
      const double t = (model_wavelength(i) - centre) / sigma;
      flux[static_cast<size_t>(i)] += static_cast<float>(peak * std::exp(-0.5 * t * t));
    }
  }
}

}  // namespace astroclip::simulation
