#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fits/flux_units.h"
#include "fits/spectrum_grid.h"

namespace astroclip::fits {

/// One spectrum: vacuum wavelengths in Å, rising; flux in 1e-17 erg/s/cm²/Å; inverse variance, 0 where not measured.
struct MeasuredSpectrum {
  std::vector<double> wavelength, flux, ivar;

  SpectrumPiece piece() const { return {wavelength, flux, ivar}; }
};

/// Spectra as a file holds them, with what its words say of the numbers.
struct MeasuredSpectra {
  enum class Uncertainty { none, inverse_variance, error, variance };

  int64_t rows = 0, pixels = 0;
  std::vector<double> wavelength;           ///< [pixels], or [rows, pixels]
  std::vector<double> flux;                 ///< [rows, pixels]
  std::vector<double> uncertainty;          ///< [rows, pixels]; empty for none
  std::vector<double> mask;                 ///< [rows, pixels], not 0 where a pixel must not be used; empty for none
  Uncertainty kind = Uncertainty::none;     ///< none: every finite flux counts, with an inverse variance of 1
  std::string flux_unit, uncertainty_unit;  ///< "" where the file does not say
  WavelengthUnit wavelength_unit;
  bool is_wavelength_unit_given = true;
  bool is_in_air = false;
  bool is_medium_given = true;  ///< whether the file says if wavelengths are in air

  /// In standard units; falling wavelengths are turned round, pixels without a wavelength above 0 left out. Throws
  /// Error for units that are none of flux density, and where no unit is given but fluxes are as small as in
  /// erg/s/cm²/Å.
  MeasuredSpectrum row(int64_t row) const;
};

}  // namespace astroclip::fits
