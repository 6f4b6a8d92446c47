#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/object_ids.h"
#include "io/hdf5/row_reader.h"

namespace astroclip::data {

/// Two layouts of many HDF5 files, whose datasets lie at the root and have a row for each object:
/// - that of the image survey for self-supervised training (Stein et al. 2021): `images` (N,3,152,152) float32
///   nanomaggies with the axes (band, y, x); here with any number of bands;
/// - that of the Multimodal Universe (2024): `image_array` or `image_flux` (N,bands,H,W), of whose pixels of 0.262" the
///   middle 152 x 152 are taken, with the names of the bands in `image_band` (N,bands) and `image_scale`, and perhaps
///   `image_mask` (N,H,W) or (N,bands,H,W), true where a pixel may be used, and `image_ivar`; or `spectrum_flux`
///   (N,7781) on DESI's grid, by `spectrum_lambda` (N,7781) or `spectrum_lambda_min` and `spectrum_lambda_max`, with
///   `spectrum_ivar` and `spectrum_mask`, true where a pixel must not be used.
/// Any number of columns (N) stand beside them. The bands are the same in all files. Of images with g, r, z and more
/// those three are taken.
inline constexpr int64_t survey_image_side = 152;
inline constexpr int64_t survey_spectrum_pixels = 7781;

/// Which of the layouts a file has, as far as its names and the shape of `images` tell: "images", "image_array",
/// "image_flux", "spectrum_flux", or "" for none. Throws Error when it cannot be opened as HDF5.
std::string survey_layout(const std::string& path);

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
  /// Sorted by name; without images and spectra.
  const std::vector<Column>& columns() const { return columns_; }
  bool has(const std::string& column) const;
  /// The columns of texts that every file has, sorted.
  const std::vector<std::string>& text_columns() const { return text_columns_; }
  /// Names of all datasets of a file at its root, those that are no columns included.
  const std::vector<std::string>& names(size_t file) const { return files_[file].names; }
  /// Names of the datasets of which images or spectra are read, and of those that say what they are.
  const std::vector<std::string>& measurements() const { return measurements_; }

  bool has_images() const { return !image_name_.empty(); }
  bool has_spectra() const { return !has_images(); }
  /// Whether spectra have inverse variances, or at least masks, which make some of them 0 and others 1.
  bool has_ivar() const { return has_spectra() && (files_[0].ivar || files_[0].mask); }
  /// Whether masks or inverse variances tell which pixels of images were measured; the others are 0.
  bool has_masks() const { return files_[0].image_mask || files_[0].image_ivar; }
  /// Of one image: [bands, 152, 152].
  const Shape& image_shape() const { return image_shape_; }
  /// Names of the bands that are taken, "grz"; "" where the files do not say them.
  const std::string& bands() const { return bands_; }
  /// What of the files' bands is left out, "i"; "" if nothing is.
  const std::string& bands_left_out() const { return bands_left_out_; }
  /// How many rows of a file's images or spectra are decoded together, and what they take then.
  int64_t rows_together(size_t file) const { return measured(files_[file]).rows_together(); }
  int64_t bytes_together(size_t file) const { return measured(files_[file]).bytes_together(); }

  /// Rows in any order and with repeats, into [rows, bands, 152, 152].
  void read_images(std::span<const int64_t> rows, float* out) const;
  /// For each of the same rows 1 if of every band all pixels but a share of zero_share_limit were measured, else 0.
  void read_observed(std::span<const int64_t> rows, double* out) const;
  /// The same rows of spectra, into [rows, 7781]: flux, whose gaps are filled (data/gaps.h), and inverse variance,
  /// which is 0 where there was no measurement. Either may be null.
  void read_spectra(std::span<const int64_t> rows, float* flux, float* ivar) const;
  /// The same rows of a column, as f64 or i64.
  void read_column(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const;
  /// The same rows of a column of texts.
  std::vector<std::string> read_texts(const std::string& name, std::span<const int64_t> rows) const;
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
    int64_t rows = 0;
    std::vector<std::string> names;
    std::optional<io::RowReader> images, image_mask, image_ivar, flux, ivar, mask;
    std::map<std::string, io::RowReader> columns;
    std::vector<std::string> texts;
  };
  static const io::RowReader& measured(const File& file) { return file.images ? *file.images : *file.flux; }
  void open_images(File& file, const std::shared_ptr<io::BlockCache>& cache);
  void open_masks(File& file, const std::shared_ptr<io::BlockCache>& cache);
  void open_spectra(File& file, const std::shared_ptr<io::BlockCache>& cache);
  void choose_bands(const File& file);
  /// The middle of the planes that are taken, out of images of `planes` planes, one of which stands for all bands.
  template <class T>
  std::vector<T> taken_of(const std::vector<T>& images, int64_t planes) const;
  /// Which pixels that are taken of a file's rows were measured.
  std::vector<bool> measured(const File& file, std::span<const int64_t> rows) const;
  /// Calls `read(file, its rows, position)` for every run of `rows` that lies in one file.
  template <class Read>
  void by_file(std::span<const int64_t> rows, const Read& read) const;

  std::vector<File> files_;
  std::vector<int64_t> first_rows_ = {0};
  std::vector<Column> columns_;
  std::vector<std::string> text_columns_;
  std::string image_name_;       ///< "" where the files hold spectra
  Shape stored_, image_shape_;   ///< of one image in the files, and as it is read
  std::vector<int64_t> planes_;  ///< that are taken of an image
  std::string bands_, bands_left_out_;
  std::vector<std::string> measurements_;
  struct Observed;
  std::shared_ptr<Observed> observed_;  ///< what read_observed found
};

}  // namespace astroclip::data
