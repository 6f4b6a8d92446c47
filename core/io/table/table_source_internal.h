#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/table/column.h"

namespace astroclip::io {

/// A table of one format.
struct TableSource {
  std::string format;
  std::vector<std::string> columns;     ///< with one value a row
  std::vector<std::string> units = {};  ///< of the columns; empty where the format tells of none
  /// A column with several numbers a row.
  struct Vector {
    std::string name;
    int64_t width;
  };
  std::vector<Vector> vectors = {};
  int64_t rows = 0;

  TableSource() = default;
  TableSource(const TableSource&) = delete;
  TableSource& operator=(const TableSource&) = delete;
  virtual ~TableSource() = default;
  /// The values of a column; errors begin with `place`.
  virtual Column read(size_t column, const std::string& place) const = 0;
  /// One number a row of a vector, by its place from 0; of formats that have vectors.
  virtual Column read_element(size_t /*vector*/, int64_t /*element*/, const std::string& /*place*/) const { return {}; }
};

/// A file's bytes, mapped or unpacked, as long as the owner lives.
struct FileText {
  std::shared_ptr<const void> owner;
  std::string_view text;
};

std::shared_ptr<const TableSource> open_csv(const std::string& path, FileText file);
std::shared_ptr<const TableSource> open_votable(const std::string& path, FileText file, const std::string& table);
std::shared_ptr<const TableSource> open_fits_table(const std::string& path, const std::string& table);
std::shared_ptr<const TableSource> open_hdf5_table(const std::string& path, const std::string& table);

/// Which of a file's tables is wanted: the one of that name, or the only one. Throws Error otherwise.
size_t choose_table(const std::string& path, const std::vector<std::string>& tables, const std::string& wanted);

}  // namespace astroclip::io
