#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "data/survey.h"
#include "fits/image_reader.h"
#include "fits/spectrum_grid.h"

/// What FITS files hold, on the survey's grids.
namespace astroclip::fits {

inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

struct ObservedSpectrum {
  int64_t row = 0;  ///< in its file
  GridSpectrum spectrum;
  std::optional<int64_t> id;
  std::optional<SkyPosition> position;
  double redshift = unknown;
  double redshift_warning = unknown;  ///< 0 where the fit found nothing wrong
};

struct FittedRedshift {
  int64_t id = 0;
  double redshift = unknown;
  double warning = unknown;
};

struct Refusal {
  std::optional<int64_t> row;  ///< none: the whole file
  std::string reason;
};

struct Observations {
  std::string file;
  std::string kind;  ///< "DESI coadd", "SDSS spectrum", "stacked spectra", "image", "redshifts"; "" for none of these
  std::vector<ObservedSpectrum> spectra;
  std::vector<ObservedImage> images;
  std::vector<FittedRedshift> redshifts;
  std::vector<Refusal> refused;
  std::vector<std::string> notes;  ///< what was ignored of the file, or done to what was taken
};

/// Spectra with fewer measured pixels are refused.
inline constexpr int64_t fewest_measured = data::spectrum_pixels / 2;

/// Reads a file by what is in it, whatever its name:
///  - DESI coadds: arms B, R, Z (X_WAVELENGTH on the grid, X_FLUX, X_IVAR; a non-zero X_MASK takes a pixel out), with
///    TARGETID and positions where there is a FIBERMAP, whose fibres without a target are refused;
///  - SDSS spectra: the table COADD (loglam, flux, ivar), with redshift and position from SPECOBJ; the object's number
///    is made of the digits of plate, MJD (5) and fibre (4);
///  - stacked spectra: FLUX, IVAR and WAVE, redshifts from STACKINFO;
///  - images (image_reader.h);
///  - redshifts: the table REDSHIFTS with TARGETID, Z and ZWARN.
/// Never throws for what a file holds: what cannot be taken is refused with the reason.
Observations read_observations(const std::string& path);

}  // namespace astroclip::fits
