#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/shape.h"

namespace astroclip::io {

/// One header and data unit of a FITS file.
struct FitsHdu {
  std::string name;  ///< EXTNAME; "PRIMARY" or "HDU 2", "HDU 3" … if there is none
  bool is_table = false;
  Shape shape;                       ///< of an image, slowest axis first; [] without data, or with more than six axes
  int64_t rows = 0;                  ///< of a table
  std::vector<std::string> columns;  ///< of a table
};

/// A FITS file open for reading, plain or compressed. Errors name the file, HDU and column, what was expected and what
/// was found. Not thread-safe.
class FitsFile {
 public:
  /// Throws Error if the file is missing, a pipe, not FITS, or ends before the data that its headers declare.
  static FitsFile open(const std::string& path);

  const std::string& path() const;
  const std::vector<FitsHdu>& hdus() const;
  /// What of the file was ignored, "" if nothing: zeros, blanks or ends of lines after the last HDU.
  const std::string& warning() const;
  /// The first HDU of that name, ignoring case; null if there is none.
  const FitsHdu* find(const std::string& hdu) const;
  /// As find, but throws Error listing the existing HDUs if there is none, and if there are several. So do the readers
  /// of HDUs by name below.
  const FitsHdu& hdu(const std::string& name) const;
  bool has_column(const std::string& hdu, const std::string& column) const;

  /// The values of an image, scaled according to its header; undefined ones are NaN.
  std::vector<double> image(const std::string& hdu) const;
  /// The same; throws Error naming both shapes if the image has another shape.
  std::vector<double> image(const std::string& hdu, const Shape& expected) const;
  /// A column with one number per row, 0 or 1 for logical ones; undefined ones are NaN. Throws Error for several
  /// numbers or text.
  std::vector<double> column(const std::string& hdu, const std::string& column) const;
  /// Numbers per row of a column, the most if rows differ; 0 for text.
  int64_t column_width(const std::string& hdu, const std::string& column) const;
  /// A column with any number of numbers per row: [rows, column_width]. Short rows end with NaN.
  std::vector<double> vectors(const std::string& hdu, const std::string& column) const;
  /// TUNIT, "" if there is none.
  std::string column_unit(const std::string& hdu, const std::string& column) const;
  /// A column of identifiers, exactly: integers of up to 64 bits in decimal digits, or text; "" where undefined. Throws
  /// Error for floating-point numbers that are beyond 2^53 or not whole.
  std::vector<std::string> id_column(const std::string& hdu, const std::string& column) const;
  /// A column of text, without surrounding blanks.
  std::vector<std::string> text_column(const std::string& hdu, const std::string& column) const;
  /// The cards of a header but for comments, 80 characters each.
  std::string header(const std::string& hdu) const;

  /// The same of one of `hdus()`, whatever its name.
  std::string header(const FitsHdu& hdu) const;
  /// Part of an image: `extent` pixels from `first` on in each axis, slowest axis first, as a whole image's are given.
  /// Of a compressed image only the tiles that hold them are unpacked.
  std::vector<double> section(const FitsHdu& hdu, std::span<const int64_t> first,
                              std::span<const int64_t> extent) const;
  /// Rows of a compressed image that are unpacked together; 1 for other images.
  int64_t tile_height(const FitsHdu& hdu) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace astroclip::io
