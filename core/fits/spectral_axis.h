#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fits/flux_units.h"
#include "fits/header.h"

/// What headers say of wavelengths.
namespace astroclip::fits {

/// The vacuum wavelength of a wavelength in air, both in Å: by the refractive index of standard air of Ciddor 1996,
/// Applied Optics 35, 1566 (15 °C, 101325 Pa, 450 ppm of CO2).
double vacuum_wavelength(double air);

/// Whether wavelengths are in air: by AIRORVAC, VACUUM, or CTYPE1 = AWAV; none where the header does not say.
std::optional<bool> is_in_air(const Header& header);

/// Whether LOGSCALE = T says that wavelengths are decadic logarithms (2dF).
bool is_logarithmic(const Header& header);

struct SpectralAxis {
  std::vector<double> values;
  WavelengthUnit unit;
};

/// The wavelengths of `pixels` pixels along the first axis: 10^(COEFF0 + COEFF1 · i) Å (SDSS), or CRVAL1 + CDELT1 ·
/// (i + 1 − CRPIX1) in CUNIT1, of whose values DC-FLAG = 1 (IRAF) or LOGSCALE = T make powers of ten and CTYPE1 =
/// WAVE-LOG exponentials (Greisen et al. 2006, A&A 446, 747). None where the axis is of another kind (CTYPE1 =
/// 'RA---TAN') or not described. Throws Error naming the word for axes of frequency, velocity, energy or several
/// dispersions.
std::optional<SpectralAxis> spectral_axis(const Header& header, int64_t pixels);

}  // namespace astroclip::fits
