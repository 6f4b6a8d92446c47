#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/shape.h"

namespace astroclip::io {

/// One header and data unit of a FITS file.
struct FitsHdu {
  std::string name;  ///< EXTNAME; "" where there is none
  bool is_table = false;
  Shape shape;                       ///< of an image, slowest axis first; [] without data
  int64_t rows = 0;                  ///< of a table
  std::vector<std::string> columns;  ///< of a table
};

/// A FITS file open for reading, plain or compressed. Errors name file, HDU and column, what was expected and what
/// was found. Not for several threads at once.
class FitsFile {
 public:
  /// Throws Error when the file is missing, no FITS file, or ends before the data that its headers announce.
  static FitsFile open(const std::string& path);

  const std::string& path() const;
  const std::vector<FitsHdu>& hdus() const;
  /// The first HDU of that name, in any case; the primary HDU is "PRIMARY" unless it says otherwise. Null without one.
  const FitsHdu* find(const std::string& hdu) const;
  /// As find. Throws Error naming the HDUs there are.
  const FitsHdu& hdu(const std::string& name) const;
  bool has_column(const std::string& hdu, const std::string& column) const;

  /// The numbers of an image, scaled as its header says; undefined ones are NaN.
  std::vector<double> image(const std::string& hdu) const;
  /// The same. Throws Error naming both shapes unless the image has this one.
  std::vector<double> image(const std::string& hdu, const Shape& expected) const;
  /// A column with one number in each row. Throws Error when it has more, or text.
  std::vector<double> column(const std::string& hdu, const std::string& column) const;
  std::vector<int64_t> integer_column(const std::string& hdu, const std::string& column) const;
  /// A column of text, without surrounding blanks.
  std::vector<std::string> text_column(const std::string& hdu, const std::string& column) const;
  /// The cards of a header but for comments, 80 characters each.
  std::string header(const std::string& hdu) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace astroclip::io
