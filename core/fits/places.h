#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fits/sky_frame.h"
#include "io/table/table.h"

namespace astroclip::fits {

/// A catalogue's rows: positions (NaN where a row has none), and identifiers as text ("" where there are none).
struct Places {
  std::vector<SkyPosition> positions;
  std::vector<std::string> ids;
  std::string id_name;  ///< of the column of identifiers, in capitals
};

/// A table's columns of right ascension and declination in degrees: RA and DEC, TARGET_RA and TARGET_DEC, RAJ2000 and
/// DEJ2000, and their like. Capitals do not matter.
std::optional<std::pair<std::string, std::string>> position_columns(const io::Table& table);
/// A table's column of identifiers: TARGETID, OBJECT_ID, SPECOBJID or ID.
std::optional<std::string> id_column(const io::Table& table);

/// From a table of any format (io/table/table.h), by these columns. Throws Error listing the columns when none are
/// positions.
Places read_places(const std::string& path);

}  // namespace astroclip::fits
