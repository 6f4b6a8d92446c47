#include "bands.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <vector>

#include "cosmology.h"
#include "data/survey.h"

namespace astroclip::simulation {

namespace {

constexpr double light_speed = 2.99792458e18;  // Å/s
constexpr double nanomaggy = 3.6307805e-29;    // erg/s/cm²/Hz
constexpr double mpc_in_cm = 3.0856776e24;
constexpr double least_flux = 1e-3;            // nanomaggies
constexpr double solar_luminosity = 3.839e33;  // erg/s, that of the table of stars

constexpr double first_response = 3300.0;
constexpr double response_step = 20.0;
constexpr int64_t responses = 386;
const int16_t throughput[] = {
#include "figures/decam.inc"
};
static_assert(std::size(throughput) == band_count * responses);

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

}  // namespace

double band_response(int64_t band, double wavelength) {
  const double place = (wavelength - first_response) / response_step;
  const auto below = static_cast<int64_t>(std::floor(place));
  if (below < 0 || below + 1 >= responses) return 0.0;
  const int16_t* at = throughput + band * responses + below;
  return 1e-4 * (at[0] + (place - static_cast<double>(below)) * (at[1] - at[0]));
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

BandFluxes band_fluxes(std::span<const double> wavelengths, std::span<const float> luminosity, double redshift) {
  const double scale = dilution_at(redshift) * 1e-17 / nanomaggy;
  BandFluxes fluxes{};
  for (int64_t band = 0; band < band_count; ++band) {
    double light = 0.0, norm = 0.0;
    for (size_t i = 1; i + 1 < wavelengths.size(); ++i) {
      const double wavelength = wavelengths[i] * (1.0 + redshift), step = wavelengths[i + 1] - wavelengths[i - 1];
      const double response = band_response(band, wavelength) * step;
      light += response * wavelength * luminosity[i];
      norm += response * light_speed / wavelength;
    }
    fluxes[static_cast<size_t>(band)] = light * scale / norm;
  }
  return fluxes;
}

double magnitude_of(double nanomaggies) {
  return data::zero_point - 2.5 * std::log10(std::max(nanomaggies, least_flux));
}

double magnitude_error(double nanomaggies, double error) {
  return 2.5 / std::numbers::ln10 * error / std::max(nanomaggies, least_flux);
}

double dilution_at(double redshift) {
  const double distance = luminosity_distance_mpc(redshift) * mpc_in_cm;
  return 1e17 * solar_luminosity / (4.0 * std::numbers::pi * distance * distance * (1.0 + redshift));
}

}  // namespace astroclip::simulation
