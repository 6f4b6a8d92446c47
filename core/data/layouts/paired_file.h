#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/object_ids.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace astroclip::data {

/// The published layout of paired images and spectra (Parker et al. 2024): HDF5 groups, in each `images`
/// (N,152,152,3) float32 nanomaggies with the axes (x, y, band), `spectra` (N,7781,1) float32, `redshifts` (N),
/// `targetids` (N); beside them, optionally, `spectra_ivar` (N,7781) and labels (N), as `labels/NAME` or `NAME`.
/// The first 80 % of every group are for training, the rest for testing. Here images may have any number of bands, and
/// a file must have but one of images and spectra, the same in all groups, and `targetids`: integers or texts, also
/// under the names `object_id`, `id` and their like, in any case. Labels may be texts. Groups without images and
/// spectra, and columns that hold neither numbers nor texts, or more than one a row, are left out.
inline constexpr int64_t paired_image_side = 152;
inline constexpr int64_t paired_pixels = 7781;

/// A column as the program sees it: "image" [bands, 152, 152] with the axes (band, y, x), "spectrum" [7781],
/// "spectrum_ivar" [7781], "redshift", "object_id", and the labels under their own names.
struct PairedColumn {
  std::string name;
  std::string dataset;  ///< in a group
  DType dtype;
  Shape shape;  ///< of one object
};

class PairedFile {
 public:
  struct Range {
    int64_t begin = 0;
    int64_t end = 0;
  };

  /// Checks every group. Of ten rows of a group the first `train_tenths` are for training. Throws Error naming the
  /// file, the dataset, the expected and the found shape.
  static PairedFile open(const std::string& path, int64_t train_tenths = 8);

  const std::string& path() const;
  const std::vector<PairedColumn>& columns() const;
  /// Names of the images' bands, by the root attribute `bands`: "griz", or "VIS,Y,J"; "" where there is none.
  std::string bands() const;
  /// Throws Error naming the columns there are when there is none of that name.
  const PairedColumn& column(const std::string& name) const;
  int64_t size(bool train) const;
  /// Rows whose images are decoded together, chunk after chunk; none when no group is compressed.
  std::vector<Range> ranges(bool train) const;
  /// How many of these ranges half the cache of decoded chunks holds.
  int64_t window() const;
  /// Datasets and groups that are in no column, by their names in the groups.
  const std::vector<std::string>& left_out() const;
  /// Names of the labels that are texts.
  std::vector<std::string> text_labels() const;
  /// One of them, of rows of a split, in any order and with repeats.
  std::vector<std::string> read_texts(bool train, std::span<const int64_t> rows, const std::string& label) const;
  /// What the identifiers of the objects are.
  IdKind id_kind() const;
  /// Those of rows of a split, in any order and with repeats.
  ObjectIds read_ids(bool train, std::span<const int64_t> rows) const;
  /// Rows of a split, in any order and with repeats, into `out`: [rows, column shape] of f32, f64 or i64.
  void read(bool train, std::span<const int64_t> rows, const std::string& name, DType dtype, void* out) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// Objects to be written one after another.
struct PairedRows {
  int64_t count = 0;
  std::span<const float> images;     ///< [count, bands, 152, 152], axes (band, y, x), nanomaggies
  std::span<const float> spectra;    ///< [count, 7781], 1e-17 erg/s/cm²/Å
  std::span<const float> ivar = {};  ///< [count, 7781]; empty unless the file has it
  std::span<const double> redshifts;
  std::span<const int64_t> object_ids;  ///< empty if the writer was given identifiers
  std::map<std::string, std::span<const double>> labels = {};
};

/// Writes the layout durably, group after group: the file has its name only after `commit`. The identifiers of all
/// objects may be given at once, of any kind; else those of PairedRows are written.
class PairedWriter {
 public:
  PairedWriter(const std::string& path, std::span<const int64_t> group_sizes, std::span<const std::string> labels,
               bool with_ivar, int64_t bands = 3, const std::optional<ObjectIds>& ids = {});
  ~PairedWriter();
  /// Appends. Throws Error when there are more rows than announced or an array has another size.
  void write(const PairedRows& rows);
  /// A column of texts, of all objects of the only group.
  void write_texts(const std::string& name, std::span<const std::string> texts);
  void write_attribute(const std::string& name, const std::string& text);
  /// Throws Error when rows are missing.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// `count` objects in (at most ten) groups of nearly equal size, as the published file has.
std::vector<int64_t> paired_groups(int64_t count);

}  // namespace astroclip::data
