#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace astroclip::simulation {

inline constexpr int64_t band_count = 4;
inline constexpr std::string_view band_letters = "griz";
using BandFluxes = std::array<double, band_count>;

/// The model's grid: the survey's, run on to 10,104 Å so that the z band is covered.
inline constexpr int64_t model_pixels = 8131;
constexpr double model_wavelength(int64_t pixel) { return 3600.0 + 0.8 * static_cast<double>(pixel); }

/// Throughput of DECam at a wavelength in Å (figures/README.md), with the atmosphere of airmass 1.3.
double band_response(int64_t band, double wavelength);
/// AB fluxes in nanomaggies of a spectrum on the model's grid (or the part of it that the survey observes), in 1e-17
/// erg/s/cm²/Å: photon-weighted, Σ f λ T / Σ (c/λ) T (Bessell & Murphy 2012, eq. A12).
BandFluxes band_fluxes(std::span<const float> spectrum);
/// The same of a luminosity in L☉/Å at rest wavelengths in Å, seen at a redshift.
BandFluxes band_fluxes(std::span<const double> wavelengths, std::span<const float> luminosity, double redshift);
/// 22.5 − 2.5 log10(flux); fluxes under a thousandth of a nanomaggy count as that.
double magnitude_of(double nanomaggies);
/// Its error, from the flux's: 2.5/ln 10 · error/flux, with the same least flux.
double magnitude_error(double nanomaggies, double error);
/// L☉/Å at rest to 1e-17 erg/s/cm²/Å observed.
double dilution_at(double redshift);

}  // namespace astroclip::simulation
