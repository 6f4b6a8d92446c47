#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/survey.h"
#include "fits/image_planes.h"
#include "fits/spectrum_grid.h"
#include "fits/survey_table.h"

/// What FITS files hold, on the survey's grids.
namespace astroclip::fits {

struct ObservedSpectrum {
  int64_t row = 0;  ///< in its file
  GridSpectrum spectrum;
  std::optional<ObjectId> id;
  std::optional<SkyPosition> position;
  double redshift = unknown;
  double redshift_warning = unknown;  ///< 0 where the fit found nothing wrong
};

struct FittedRedshift {
  int64_t row = 0;  ///< in its file
  ObjectId id;
  double redshift = unknown;
  double warning = unknown;
  double delta_chi2 = unknown;
  bool is_primary = false;
};

struct Refusal {
  std::optional<int64_t> row;  ///< none: the whole file
  std::string reason;
};

struct Observations {
  std::string file;
  /// "DESI coadd", "DESI exposures", "SDSS spectrum", "stacked spectra", "spectra", "image", "redshifts"; "" for none.
  std::string kind;
  std::vector<ObservedSpectrum> spectra;
  /// Spectra of which too little was measured by themselves, with identifiers: the other arms may be in another file.
  std::vector<ObservedSpectrum> partial;
  ImagePlanes images;
  std::vector<FittedRedshift> redshifts;
  std::vector<Refusal> refused;
  std::vector<std::string> notes;  ///< what was ignored of the file, done to the numbers or assumed of them
};

/// Spectra with fewer measured pixels are refused.
inline constexpr int64_t fewest_measured = data::spectrum_pixels / 2;

/// Takes a spectrum; or refuses it when too little of it was measured, unless `is_arm` and its identifier tell where
/// the rest may be.
void add_spectrum(Observations& found, ObservedSpectrum one, bool is_arm = false);
/// What such a spectrum is refused with when the rest is nowhere.
Refusal too_little(const ObservedSpectrum& one);

/// Reads a file by what is in it, whatever its name: spectra of DESI (desi_files.h) and others (spectrum_files.h),
/// images (image_planes.h), and redshifts: a table with identifiers (survey_table.h), Z or REDSHIFT, ZWARN or ZWARNING,
/// DELTACHI2 and ZCAT_PRIMARY. Never throws for what a file holds: what cannot be taken is refused with the reason.
Observations read_observations(const std::string& path);

}  // namespace astroclip::fits
