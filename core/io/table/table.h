#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/table/column.h"

namespace astroclip::io {

/// A table of any format that astronomers use, of which the columns asked for are read:
/// CSV and other separated text (commas, tabs, semicolons, bars or blanks; quotes; '#' comments before the header and
/// between rows; ECSV), perhaps gzipped; FITS binary and ASCII tables; HDF5 groups of datasets with one number, text or
/// boolean a row, and compound datasets; VOTable (TABLEDATA, BINARY, BINARY2). The format is known by the contents.
/// Errors name the file, the column and the row or line.
class Table {
 public:
  /// `table` is one of the file's tables: the name or "HDU n" of a FITS HDU, the path of an HDF5 group or dataset, the
  /// name or ID of a VOTable's table; "" where there is only one. Throws Error when there are several, naming them,
  /// and when the file is damaged or of another format.
  static Table open(const std::string& path, const std::string& table = "");
  /// The table of "FILE", or of "FILE[TABLE]" unless there is a file of that name.
  static Table open_named(const std::string& named);

  const std::string& path() const { return path_; }
  /// "CSV", "FITS table" …
  const std::string& format() const;
  int64_t rows() const;
  /// The columns with one value a row.
  const std::vector<std::string>& columns() const;
  /// Those with several numbers a row (of FITS, and of compound datasets of HDF5), as "NAME[0]" and so on: all that can
  /// be read beside `columns`.
  std::vector<std::string> elements() const;
  bool has(const std::string& column) const;
  /// A column, or an element of one, by its name, or, where no other has the same letters, by that name in another
  /// case. Throws Error when there is none or there are several, and when a value is not of the column's type.
  Column read(const std::string& column) const;
  /// The unit of a column as the file writes it (TUNIT of FITS, `unit` of VOTable and ECSV); "" where it tells of none.
  std::string unit(const std::string& column) const;
  /// A column of angles in degrees, which it has unless its unit is another one. Throws Error as `read` does, and for
  /// text or a unit that is no angle's.
  Column degrees(const std::string& column) const;

 private:
  Column named(const std::string& name, const std::function<Column(const std::string& place)>& read) const;

  std::string path_;
  std::shared_ptr<const struct TableSource> source_;
};

/// How many degrees a unit of angles has (deg, also of no unit; rad, h, arcmin, arcsec, mas, uas); none of another
/// unit.
std::optional<double> degrees_of(const std::string& unit);

}  // namespace astroclip::io
