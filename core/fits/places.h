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

/// From a table (as io::Table::open_named takes it), by its position_columns and its id_column
/// (io/table/key_columns.h). Throws Error listing the columns when none are positions.
Places read_places(const std::string& named);

}  // namespace astroclip::fits
