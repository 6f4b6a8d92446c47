#pragma once

#include "fits/observations.h"

namespace astroclip::fits {

/// Reads the spectra of a file that holds them in one of these layouts, with inverse variances, errors or variances,
/// and masks, by their names:
///  - a table with a pixel a row (the table COADD of SDSS, with what SPECOBJ or SPALL says of the object), or a
///  spectrum
///    a row (LAMOST, catalogues of spectra) with a wavelength column or an image of wavelengths;
///  - images FLUX, or the primary one, [rows, pixels] with an image of wavelengths or a spectral axis (stacks, frames,
///  SDSS
///    plates), with what STACKINFO, FIBERMAP or PLUGMAP says of each row;
///  - a primary image of one spectrum: rows flux, inverse variance, wavelength, mask (LAMOST until DR7); flux, flux
///    without continuum, error, mask (SDSS until DR7); flux alone (IRAF).
/// Units, air wavelengths and logarithms are obeyed as the headers have them. Of the bits of an AND_MASK those of
/// pixels count, not those of whole fibres. Returns false if it has none of these.
bool read_spectra(const io::FitsFile& file, Observations& found);

}  // namespace astroclip::fits
