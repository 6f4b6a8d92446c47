#pragma once

#include <string>

#include "fits/header.h"

/// Units and zero points, in the spellings that FITS files have. What is not understood throws Error naming the word.
namespace astroclip::fits {

struct WavelengthUnit {
  double angstrom = 1.0;   ///< Å in one
  double logarithm = 0.0;  ///< base of the logarithm that the values are; 0: of none
  double to_angstrom(double value) const;
};

/// Of the unit of a column or image, as "nm", "micron", "log10(Angstrom)"; Å where it is empty.
WavelengthUnit wavelength_unit(const std::string& unit);

/// A spectral flux density, or a power of one.
struct SpectralFluxUnit {
  double factor = 1.0;
  int power = 1;
  bool per_frequency = false;
  /// What one is in units of 1e-17 erg/s/cm²/Å, to that power, at a wavelength in Å.
  double at(double wavelength) const;
};

/// Of flux densities per wavelength or frequency, as "10**-17 erg/(s cm2 Angstrom)", "1E-17 erg/cm^2/s/Ang", "uJy"; of
/// their inverse variances for the power -2. An empty unit is 1e-17 erg/s/cm²/Å, to that power.
SpectralFluxUnit spectral_flux_unit(const std::string& unit, int power = 1);

/// What the values of an image are.
struct ImageUnit {
  enum class Of {
    pixel,          ///< the flux that falls in a pixel
    square_arcsec,  ///< the flux in a square second of arc
    unstated        ///< the header has neither unit nor zero point: taken as nanomaggies
  };
  Of of = Of::unstated;
  double nanomaggies = 1.0;  ///< in one
  std::string words;         ///< of the header that say so, as "MAGZERO = 30"; "" where it says nothing
};

/// By BUNIT: flux densities per frequency, per pixel or solid angle (nanomaggy, nJy, MJy/sr, erg/s/cm2/Hz), and per
/// wavelength where the header has PHOTPLAM; or, for counts and where there is no unit, by a zero point: the AB
/// magnitude of one (MAGZERO, MAGZPT, MAGZP, PHOTZP, ZPAB), the counts of magnitude 0 (FLUXMAG0), or the flux density
/// of one a second (PHOTFLAM with PHOTPLAM). Throws Error also where these words contradict each other, for magnitudes
/// in Vega's system and for values on a scale that is not linear.
ImageUnit image_unit(const Header& header);

}  // namespace astroclip::fits
