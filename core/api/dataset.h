#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "api/plugin.h"
#include "base/error.h"
#include "base/object_ids.h"
#include "config/value.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace astroclip {

enum class Split { train, test };

/// One column of a dataset.
struct Field {
  std::string name;  ///< "image", "spectrum", "redshift", "object_id", "spectrum_ivar" …
  DType dtype;       ///< f32, f64 or i64
  Shape shape;       ///< of one object; [] for a label
  std::string unit;
  std::string meaning;
};

/// Rows of one field on the host: shape [rows, field shape], contiguous.
struct HostArray {
  DType dtype = DType::f32;
  Shape shape;
  std::pmr::vector<std::byte> bytes;

  HostArray() = default;
  /// All zero, in memory of that kind (backend/pinned.h).
  HostArray(DType type, const Shape& extents, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : dtype(type), shape(extents), bytes(static_cast<size_t>(extents.numel() * size_of(type)), memory) {}
  /// `rows` rows of a field, all zero.
  HostArray(const Field& field, int64_t rows) : HostArray(field.dtype, rows_of(field.shape, rows)) {}

  /// [rows, shape]
  static Shape rows_of(const Shape& shape, int64_t rows) {
    std::vector<int64_t> extents = {rows};
    extents.insert(extents.end(), shape.begin(), shape.end());
    return Shape(std::span<const int64_t>(extents));
  }
  /// The values as they are. Throws Error when T is not the array's dtype.
  template <class T>
  std::span<T> values() {
    expect(dtype_of<T>);
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::span<const T> values() const {
    expect(dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

 private:
  void expect(DType wanted) const {
    if (dtype == wanted) return;
    throw Error("an array of " + std::string(name_of(dtype)) + " was asked for values of " +
                std::string(name_of(wanted)));
  }
};
using HostBatch = std::map<std::string, HostArray>;

struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Which rows to read at about the same time.
struct ReadPlan {
  /// Rows of a range are decoded together (a chunk of a compressed file): to read one costs as much as to read all.
  /// They cover [0, size); none: every row is read alone, and no order is better than another.
  std::vector<RowRange> ranges;
  int64_t window = 1;  ///< among how many ranges at a time rows may be shuffled so that each is decoded once
};

/// Where objects and their labels come from. A modality's measurements are the field of its name ("image"); whether an
/// object has them is told by the label "has_MODALITY", where there is one. `read` is called from several loader
/// threads at once.
class Dataset : public Plugin {
 public:
  virtual ~Dataset() = default;
  virtual std::vector<Field> fields() const = 0;
  virtual int64_t size(Split split) const = 0;
  /// How the loader should shuffle the split.
  virtual ReadPlan read_plan(Split) const { return {}; }
  /// Reads the named fields of the given rows (any order, repeats allowed) into `out`. Throws Error naming the
  /// file and dataset that failed.
  virtual void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                    HostBatch& out) const = 0;
  /// What "object_id" stands for: the number, an unsigned number of the same bits, or a text by its id_key.
  virtual IdKind id_kind() const { return IdKind::int64; }
  /// The texts of rows' identifiers, where they are texts.
  virtual std::vector<std::string> id_texts(Split /*split*/, std::span<const int64_t> /*rows*/) const { return {}; }
  /// Labels that are texts ("SPECTYPE"): they are no fields, and conditions on objects can use them.
  virtual std::vector<std::string> text_labels() const { return {}; }
  /// One of them, "" where an object has no text.
  virtual std::vector<std::string> texts(Split /*split*/, std::span<const int64_t> /*rows*/,
                                         const std::string& /*label*/) const {
    return {};
  }
  /// The files that objects are read from, in an order that depends on nothing but their names.
  virtual std::vector<std::string> files() const { return {}; }
  /// What plain (not augmented) views are made of and by, one table for each modality: units, constants. Views are made
  /// by it (data/preprocessing.h says by which keys), and model files keep it, so that a model is never given views of
  /// another kind. Empty: views hold the field as it is.
  virtual config::Table preprocessing() const { return {}; }
  /// What its user should know, a sentence each: what was left out, made up or joined.
  virtual std::vector<std::string> notes() const { return {}; }
};

}  // namespace astroclip
