#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/object_ids.h"
#include "io/output/output_file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace astroclip::io {

/// An HDF5 file whose rows are computed over a long time and survive a kill. It is laid out once, then filled from the
/// first row to the last. Committed rows are never rewritten; opening the same file again resumes after them. The file
/// is called PATH.partial until it is complete. The same rows give the same bytes, however often writing was
/// interrupted.
class RowFile {
 public:
  struct Column {
    std::string name;
    DType dtype;  ///< f32, f64 or i64; of texts u8
    Shape row;    ///< shape of one row; of texts [bytes]
    /// Set for identifiers: what they are. Texts are filled up with zeros.
    std::optional<IdKind> ids = {};
  };
  /// Text that identifies the file when it is opened again; stored in it.
  using Attributes = std::vector<std::pair<std::string, std::string>>;

  /// Lays the file out, or resumes an existing one. Throws Error if the existing file has other attributes (naming the
  /// first that differs) or columns, or if another process is writing it.
  RowFile(const std::string& path, const Attributes& attributes, const std::vector<Column>& columns, int64_t rows);

  /// An attribute of the file at `path`, finished or not; "" without the file or the attribute.
  static std::string attribute_of(const std::string& path, const std::string& name);

  /// Number of rows already committed.
  int64_t done() const { return done_; }
  /// Writes rows [begin, begin + count) of a column; begin is at least `done`.
  void write(const std::string& column, int64_t begin, int64_t count, const void* values);
  /// Syncs the rows before `done` and records them as committed.
  void commit(int64_t done);
  /// Renames the file to its final name; all rows must be committed.
  void finish();

 private:
  void lay_out(const Attributes& attributes);
  void recognise(const std::string& file, const Attributes& attributes) const;
  void open_partial();

  std::string path_, partial_;
  std::vector<Column> columns_;
  std::vector<int64_t> offsets_;  ///< file offsets of the columns' first bytes
  int64_t rows_;
  int64_t done_ = 0;
  int64_t end_ = 0;  ///< end of the HDF5 data; the trailer with the row count follows
  std::optional<OutputFile> file_;
};

}  // namespace astroclip::io
