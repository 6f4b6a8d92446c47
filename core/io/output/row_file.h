#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/output/output_file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace astroclip::io {

/// An HDF5 file whose rows are computed over a long time and that a kill does not harm: laid out once, then filled from
/// the first row to the last. What was committed is never written again; whoever opens the same file later goes on
/// behind it. Until its last row is there it is called PATH.partial. The same rows give the same bytes, however often
/// the writing was interrupted.
class RowFile {
 public:
  struct Column {
    std::string name;
    DType dtype;  ///< f32, f64 or i64
    Shape row;    ///< of one row
  };
  /// Text by which a file is known again, and which stays in it.
  using Attributes = std::vector<std::pair<std::string, std::string>>;

  /// Lays the file out, or goes on with what stands there. Throws Error when that was begun with other attributes
  /// (naming the first that differs) or columns, or when another process is at it.
  RowFile(const std::string& path, const Attributes& attributes, const std::vector<Column>& columns, int64_t rows);

  /// Rows that need not be written any more.
  int64_t done() const { return done_; }
  /// Rows [begin, begin + count) of a column, not before `done`.
  void write(const std::string& column, int64_t begin, int64_t count, const void* values);
  /// The rows before `done` are written: makes them last.
  void commit(int64_t done);
  /// Gives a file whose rows are all committed its name.
  void finish();

 private:
  void lay_out(const Attributes& attributes);
  void recognise(const std::string& file, const Attributes& attributes) const;
  void open_partial();

  std::string path_, partial_;
  std::vector<Column> columns_;
  std::vector<int64_t> offsets_;  ///< of the columns' first bytes
  int64_t rows_;
  int64_t done_ = 0;
  int64_t end_ = 0;  ///< of what is HDF5: the count of rows stands behind it
  std::optional<OutputFile> file_;
};

}  // namespace astroclip::io
