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

/// Joins tables ("FILE", or "FILE[TABLE]" where a file holds several) to objects: by its id_column (fits/places.h)
/// where one of the identifiers is an object's, else within 1 arcsec of its position_columns. Every column of numbers,
/// booleans or texts is taken, but for those whose names the layout has itself. Throws Error naming the file when it
/// has neither, or no column is left.
TableLabels join_tables(std::span<const std::string> tables, std::span<const std::string> ids,
                        std::span<const SkyPosition> places);

}  // namespace astroclip::fits
