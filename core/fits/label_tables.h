#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "fits/sky_frame.h"

namespace astroclip::fits {

/// Labels of tables, joined to objects.
struct TableLabels {
  std::map<std::string, std::vector<double>> labels;      ///< by column, for each object; NaN where no row fits
  std::map<std::string, std::vector<std::string>> texts;  ///< the same of columns of text; "" where no row fits
  std::vector<std::string> notes;                         ///< what was joined and what was left out, a sentence each
};

/// Joins tables ("FILE", or "FILE[TABLE]" where a file holds several) to objects as data::join_rows does: by its
/// id_column (io/table/key_columns.h), and objects that no row is of within 1 arcsec of its position_columns. Objects
/// without an identifier ("") are joined by position alone. Every column of numbers,
/// booleans or texts is taken, but for those whose names the layout has itself. Throws Error naming the file when it
/// has neither, or no column is left.
TableLabels join_tables(std::span<const std::string> tables, std::span<const std::string> ids,
                        std::span<const SkyPosition> places);

}  // namespace astroclip::fits
