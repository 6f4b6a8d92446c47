#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "fits/sky_frame.h"
#include "io/fits.h"

namespace astroclip::fits {

inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// What a survey calls an object or its spectrum.
struct ObjectId {
  std::string scheme;  ///< "TARGETID", "SPECOBJID", … : equal values of different schemes are different objects
  std::string value;   ///< decimal digits, or text

  std::string str() const { return scheme + " " + value; }
  auto operator<=>(const ObjectId&) const = default;
};

/// What a table of objects says of each row; NaN and none where it says nothing.
struct SurveyTable {
  std::vector<std::optional<ObjectId>> id;
  std::vector<std::optional<SkyPosition>> position;
  std::vector<double> redshift, warning;  ///< the warning is 0 where the fit found nothing wrong
  std::vector<double> delta_chi2;         ///< to the next best fit
  std::vector<double> primary;            ///< 1 for the best of several fits to an object, by the survey's own choice
  std::vector<double> fiber_status;       ///< DESI's COADD_FIBERSTATUS, else FIBERSTATUS
  std::vector<std::string> type;          ///< OBJTYPE

  /// By the columns' names, whatever their case. Identifiers are, first come, TARGETID, SPECOBJID, CATALOGID, OBSID;
  /// TARGETID made of RELEASE, BRICKID and OBJID; SPECOBJID made of PLATE, MJD, FIBERID and RUN2D, or PLATE-MJD-FIBERID
  /// as text where there is no RUN2D (in the table, or the primary header); then OBJECT_ID, OBJID and ID. Negative ones
  /// other than TARGETIDs are none. Redshifts of -1 and less are none.
  static SurveyTable read(const io::FitsFile& file, const std::string& hdu);
  /// Of one object, by the words of the primary header.
  static SurveyTable of_header(const io::FitsFile& file);

  int64_t rows() const { return static_cast<int64_t>(id.size()); }
};

}  // namespace astroclip::fits
