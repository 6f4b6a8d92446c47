#pragma once

#include <string>
#include <vector>

#include "fits/sky_frame.h"

namespace astroclip::fits {

/// A catalogue's rows: positions (NaN where a row has none), and identifiers as text ("" where there are none).
struct Places {
  std::vector<SkyPosition> positions;
  std::vector<std::string> ids;
  std::string id_name;  ///< of the column of identifiers, in capitals
};

/// From a table of any format (io/table/table.h), by columns RA and DEC, TARGET_RA and TARGET_DEC, RAJ2000 and DEJ2000,
/// and their like, in degrees; identifiers from TARGETID, OBJECT_ID, SPECOBJID or ID. Capitals do not matter. Throws
/// Error listing the columns when none are positions.
Places read_places(const std::string& path);

}  // namespace astroclip::fits
