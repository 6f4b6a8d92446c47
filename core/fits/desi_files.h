#pragma once

#include "fits/observations.h"

namespace astroclip::fits {

/// The COADD_FIBERSTATUS, beside 0, of fibres that are used: RESTRICTED.
inline constexpr int64_t desi_restricted = 1 << 3;

/// Whether the file has arms of DESI: HDUs B_FLUX, R_FLUX, Z_FLUX, or those of coadded arms (BRZ_FLUX).
bool has_desi_arms(const io::FitsFile& file);

/// DESI coadds and exposures: arms (X_WAVELENGTH on the grid, X_FLUX, X_IVAR; a non-zero X_MASK takes a pixel out),
/// with TARGETID and positions of FIBERMAP. A fibre without a target is refused, as is one whose COADD_FIBERSTATUS is
/// neither 0 nor 8 (RESTRICTED). Rows of the same TARGETID are exposures, and coadded by inverse variance; those whose
/// FIBERSTATUS has a bit that desispec's coaddition leaves out are refused, or lose the arm with the bad amplifier.
void read_desi_spectra(const io::FitsFile& file, Observations& found);

}  // namespace astroclip::fits
