#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fits/sky_frame.h"
#include "io/table/table.h"

namespace astroclip::fits {

/// Labels of tables, joined to objects.
struct TableLabels {
  std::map<std::string, std::vector<double>> labels;      ///< by column, for each object; NaN where no row fits
  std::map<std::string, std::vector<std::string>> texts;  ///< the same of columns of text; "" where no row fits
  std::vector<std::string> notes;                         ///< what was joined and what was left out, a sentence each
};

/// Tables (as io::Table::open_named takes them) whose columns become labels.
class LabelTables {
 public:
  /// Opens them. Throws Error naming the file when it is no table, or has neither an id_column nor position_columns
  /// (io/table/key_columns.h).
  explicit LabelTables(std::span<const std::string> named);

  /// Joins them to objects as data::join_rows does: by the identifiers, and objects that no row is of within 1 arcsec
  /// of the positions. Objects without an identifier ("") are joined by position alone. Every column of numbers,
  /// booleans or texts is taken, but for those whose names the layout has itself. Throws Error when none is left.
  TableLabels join(std::span<const std::string> ids, std::span<const SkyPosition> places) const;

 private:
  struct Keyed {
    std::string name;  ///< as it was given
    io::Table table;
    std::optional<std::string> id;
    std::optional<std::pair<std::string, std::string>> place;
  };
  std::vector<Keyed> tables_;
};

}  // namespace astroclip::fits
