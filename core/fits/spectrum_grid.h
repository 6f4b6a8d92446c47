#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Observed spectra on the survey's grid (survey.h): flux in 1e-17 erg/s/cm²/Å and its inverse variance, which is 0
/// where there is no measurement.
namespace astroclip::fits {

struct GridSpectrum {
  std::vector<float> flux, ivar;  ///< [7781]
  int64_t measured = 0;           ///< pixels with an inverse variance above 0
};

/// A piece of a spectrum as observed: wavelengths in Å, rising; flux; inverse variance. A pixel counts as measured
/// where flux and inverse variance are finite and the latter is above 0.
struct SpectrumPiece {
  std::span<const double> wavelength, flux, ivar;
};

/// Whether every wavelength is one of the grid's, to 0.01 Å.
bool is_on_grid(std::span<const double> wavelength);

/// Pieces whose wavelengths are the grid's own (DESI's arms), put together; where they overlap, the mean weighted by
/// inverse variance. Throws Error naming the first wavelength that is more than 0.01 Å from a pixel of the grid.
GridSpectrum on_grid(std::span<const SpectrumPiece> pieces);

/// A spectrum with wavelengths of its own: a pixel's flux is the mean over the pixel of the straight lines between the
/// measurements. It is measured where all measurements it draws on are; its inverse variance is theirs, averaged in
/// the same way and scaled by the widths of the pixels, so that no information is made or lost: a survey with pixels
/// twice as wide gives half the inverse variance in each.
GridSpectrum resampled(const SpectrumPiece& piece);

}  // namespace astroclip::fits
