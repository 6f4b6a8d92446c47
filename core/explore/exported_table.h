#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/table/column.h"

namespace astroclip::explore {

struct ExportedColumn {
  io::Column values;
  std::string unit = {}, meaning = {};
  bool is_single = false;  ///< numbers are float32
};

/// A table to save. Its columns have equally many rows.
struct ExportedTable {
  std::vector<std::pair<std::string, std::string>> facts;  ///< what it is of: "model_hash" …
  std::vector<ExportedColumn> columns;
};

/// RFC 4180, with a header. Missing values are empty.
std::string csv_text(const ExportedTable& table);
/// A FITS file with a binary table (FITS 4.0, section 7.3): missing integers are TNULL, the facts comments. Characters
/// beyond ASCII are '?', and names that differ in case alone are numbered.
std::string fits_bytes(const ExportedTable& table);
/// VOTable 1.4 (IVOA 2019) with TABLEDATA. Missing values are empty.
std::string votable_text(const ExportedTable& table);

}  // namespace astroclip::explore
