#include "fits/measured_spectra.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "fits/spectral_axis.h"

namespace astroclip::fits {

namespace {

/// No spectrum in units of 1e-17 erg/s/cm²/Å is this faint, all are in erg/s/cm²/Å.
constexpr double faintest_flux = 1e-10;

int power_of(MeasuredSpectra::Uncertainty kind) {
  return kind == MeasuredSpectra::Uncertainty::inverse_variance ? -2
         : kind == MeasuredSpectra::Uncertainty::variance       ? 2
                                                                : 1;
}

double inverse_variance(double uncertainty, int power) {
  const double ivar = power == -2 ? uncertainty : std::pow(uncertainty, power == 2 ? -1.0 : -2.0);
  return uncertainty > 0.0 && std::isfinite(ivar) ? ivar : 0.0;
}

void expect_plausible_flux(const MeasuredSpectrum& spectrum) {
  std::vector<double> sizes;
  for (size_t i = 0; i < spectrum.flux.size(); ++i) {
    if (spectrum.ivar[i] > 0.0) sizes.push_back(std::abs(spectrum.flux[i]));
  }
  if (sizes.empty()) return;
  const auto middle = sizes.begin() + std::ssize(sizes) / 2;
  std::ranges::nth_element(sizes, middle);
  if (*middle > 0.0 && *middle < faintest_flux) {
    throw Error(fmt::format("half of its fluxes are below {:.1e}, and no unit says of what (BUNIT, TUNIT)", *middle));
  }
}

}  // namespace

MeasuredSpectrum MeasuredSpectra::row(int64_t row) const {
  const auto begin = static_cast<size_t>(row * pixels), count = static_cast<size_t>(pixels);
  const auto waves = std::span(wavelength).subspan(std::ssize(wavelength) == pixels ? 0 : begin, count);
  const SpectralFluxUnit unit = spectral_flux_unit(flux_unit);
  const int power = power_of(kind);
  const bool own_unit = !uncertainty_unit.empty() && uncertainty_unit != flux_unit;
  const SpectralFluxUnit of_uncertainty = own_unit ? spectral_flux_unit(uncertainty_unit, power) : unit;
  MeasuredSpectrum result;
  for (size_t i = 0; i < count; ++i) {
    const bool is_padding = wavelength_unit.logarithm == 0.0 ? !(waves[i] > 0.0) : waves[i] == 0.0;
    if (is_padding || !std::isfinite(waves[i])) continue;
    const double given = wavelength_unit.to_angstrom(waves[i]), angstrom = is_in_air ? vacuum_wavelength(given) : given;
    const double factor = unit.at(angstrom), value = flux[begin + i] * factor;
    const bool is_usable = std::isfinite(value) && (mask.empty() || mask[begin + i] == 0.0);
    double ivar = 1.0;
    if (!uncertainty.empty()) {
      const double in_units = own_unit ? of_uncertainty.at(angstrom) : std::pow(factor, power);
      ivar = inverse_variance(uncertainty[begin + i] * in_units, power);
    }
    result.wavelength.push_back(angstrom);
    result.flux.push_back(value);
    result.ivar.push_back(is_usable ? ivar : 0.0);
  }
  if (!result.wavelength.empty() && result.wavelength.front() > result.wavelength.back()) {
    for (auto* values : {&result.wavelength, &result.flux, &result.ivar}) std::ranges::reverse(*values);
  }
  if (flux_unit.empty()) expect_plausible_flux(result);
  return result;
}

}  // namespace astroclip::fits
