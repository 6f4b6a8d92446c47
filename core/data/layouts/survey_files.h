#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/object_ids.h"
#include "io/hdf5/row_reader.h"

namespace astroclip::data {

/// The layout of the image survey for self-supervised training (Stein et al. 2021): many HDF5 files, in each `images`
/// (N,3,152,152) float32 nanomaggies with the axes (band, y, x), and any number of columns (N) beside them. Here the
/// number of bands is any, the same in all files.
inline constexpr int64_t survey_image_side = 152;

/// Whether a file has that layout, as far as its `images` tell. Throws Error when it cannot be opened as HDF5.
bool has_survey_layout(const std::string& path);

class SurveyFiles {
 public:
  /// A column that every file has.
  struct Column {
    std::string name;
    DType dtype;  ///< f64 or i64
  };

  /// Opens all files and checks them; decoded chunks are kept up to `cache_bytes` in all. Throws Error naming the file,
  /// the dataset, what was expected and what was found.
  SurveyFiles(const std::vector<std::string>& paths, int64_t cache_bytes);

  size_t files() const { return files_.size(); }
  const std::string& path(size_t file) const { return files_[file].path; }
  /// Rows of all files, and of one: those of `file` are [first_row(file), first_row(file + 1)).
  int64_t rows() const { return first_rows_.back(); }
  int64_t first_row(size_t file) const { return first_rows_[file]; }
  /// Sorted by name; without `images`.
  const std::vector<Column>& columns() const { return columns_; }
  bool has(const std::string& column) const;
  /// Names of all datasets of a file at its root, those that are no columns included.
  const std::vector<std::string>& names(size_t file) const { return files_[file].names; }

  /// Of one image: [bands, 152, 152].
  const Shape& image_shape() const { return image_shape_; }
  /// How many rows of a file's images are decoded together, and what they take then.
  int64_t rows_together(size_t file) const { return files_[file].images.rows_together(); }
  int64_t bytes_together(size_t file) const { return files_[file].images.bytes_together(); }

  /// Rows in any order and with repeats, into [rows, bands, 152, 152].
  void read_images(std::span<const int64_t> rows, float* out) const;
  /// The same rows of a column, as f64 or i64.
  void read_column(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const;
  /// What the identifiers in a dataset of every file are. Throws Error naming a file where they are something else.
  IdKind id_kind(const std::string& name) const;
  /// Those of the same rows.
  ObjectIds read_ids(const std::string& name, std::span<const int64_t> rows) const;
  /// "FILE: row 3", for messages.
  std::string place_of(int64_t row) const;

 private:
  struct File {
    std::string path;
    io::Hdf5File file;
    std::vector<std::string> names;
    io::RowReader images;
    std::map<std::string, io::RowReader> columns;
  };
  /// Calls `read(file, its rows, position)` for every run of `rows` that lies in one file.
  template <class Read>
  void by_file(std::span<const int64_t> rows, const Read& read) const;

  std::vector<File> files_;
  std::vector<int64_t> first_rows_ = {0};
  std::vector<Column> columns_;
  Shape image_shape_;
};

}  // namespace astroclip::data
