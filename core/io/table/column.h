#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace astroclip::io {

/// The values of a column in the type that holds them exactly.
using ColumnValues = std::variant<std::vector<int64_t>, std::vector<uint64_t>, std::vector<double>, std::vector<bool>,
                                  std::vector<std::string>>;

/// A column of a table. Rows count from 1 in errors, which name the file, the column and the row.
struct Column {
  std::string name;
  std::string place = {};  ///< "FILE: column 'NAME'", with which errors begin
  ColumnValues values = std::vector<double>();
  /// Rows without a value; their entries in `values` are zero, NaN or "". Empty: none is missing. NaN is always
  /// missing.
  std::vector<bool> missing = {};

  int64_t rows() const;
  bool is_missing(int64_t row) const;
  void set_missing(int64_t row);
  /// Texts without characters are missing.
  void set_empty_missing();
  /// "integers", "numbers", "true or false", "text"
  std::string holds() const;
  /// Integers, numbers and booleans (0 and 1) as float64, missing ones as NaN. Throws Error for text, naming the first
  /// row that is no number.
  std::vector<double> numbers() const;
  /// The first row whose integer is ±2^53 or beyond, where float64 rounds; none if all are exact in numbers().
  std::optional<int64_t> rounded_row() const;
  /// A row's value as text: exact for integers, the shortest that reads back for numbers; "" when it is missing.
  std::string text(int64_t row) const;
};

/// A column typed by its texts: integers (int64, or uint64 where they need it), true or false, numbers, or else text.
/// Integers of more than 64 bits or with leading zeros are text. "", "nan", "null", "none", "na", "n/a" and "--" are
/// missing in any case of letters; in a column of text only "" is.
Column typed_column(std::string name, std::span<const std::string_view> texts);

}  // namespace astroclip::io
