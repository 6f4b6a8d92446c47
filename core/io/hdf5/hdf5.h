#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/object_ids.h"
#include "io/output/output_file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace astroclip::io {

/// A filter that was applied to a chunk when it was written.
enum class ChunkFilter { shuffle, deflate, lzf, checksum };

/// The storage of a dataset of native f32, f64 or i64. `other` is what only the library can read: datasets of other
/// types, never written, virtual or outside the file (also by a link), with other filters, or chunked without filters.
struct Hdf5Layout {
  enum class Kind { contiguous, filtered, other };
  Kind kind = Kind::other;
  DType dtype = DType::f32;
  Shape shape;
  int64_t offset = 0;                ///< contiguous: file offset of the first byte
  Shape chunk;                       ///< filtered: extents of a chunk
  std::vector<ChunkFilter> filters;  ///< filtered: in the order of writing
};

/// An HDF5 file of numeric datasets whose first axis counts rows. One lock guards every call into the library, which
/// Debian builds without thread safety, so a file may be used from several threads. Errors name file and dataset.
/// Any number of files may be held: those read last stay open, and others are opened again when they are read next.
class Hdf5File {
 public:
  /// Opens for reading. Throws Error if the file is missing, not HDF5, truncated, or being written; later calls throw
  /// it if the file was changed meanwhile.
  static Hdf5File open(const std::string& path);
  /// Creates an empty HDF5 file that is written to `file`, which must outlive it. A failed write is thrown by the call
  /// that wrote, or by `close`.
  static Hdf5File create(OutputFile& file);

  const std::string& path() const;
  bool contains(const std::string& name) const;
  /// Names of the datasets and groups in a group ("" is the root), sorted.
  std::vector<std::string> groups(const std::string& group) const;
  std::vector<std::string> datasets(const std::string& group) const;
  /// Throws Error if there is no such dataset, or it has more than six axes.
  Shape shape(const std::string& name) const;
  /// Throws Error naming both shapes if the dataset's shape differs; an extent of −1 matches any.
  Shape expect_shape(const std::string& name, std::span<const int64_t> expected) const;
  /// Whether the dataset holds integers, floating-point numbers or numpy's booleans.
  bool has_numbers(const std::string& name) const;
  /// What a dataset holds one of a row, in so many rows: numbers (or truth values), texts, or neither.
  enum class Column { none, numbers, texts };
  Column column_of(const std::string& name, int64_t rows) const;
  /// The dtype for the dataset's numbers: i64 for integers and truth values, f64 for unsigned 64-bit ones (rounded
  /// above 2^53) and floating-point numbers of more than 4 bytes, else f32. Throws Error if it holds no numbers.
  DType dtype(const std::string& name) const;

  /// Reads rows, in any order and with repeats, into `out`, converted to f32, f64 or i64. Adjacent rows are read
  /// together. Throws Error if a row is outside the dataset, cannot be read, does not fit into i64, or was never
  /// written (in this file, or in those of which a virtual dataset has its parts) and the dataset has no fill value of
  /// its own other than zero.
  void read_rows(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const;

  /// What the identifiers in a dataset of one axis are; floating-point numbers count as int64. Throws Error for what is
  /// neither numbers nor texts.
  IdKind id_kind(const std::string& name) const;
  /// The identifiers of rows, in any order and with repeats, exactly. Throws Error naming the row whose floating-point
  /// number is no integer, or so large that it may have been rounded.
  ObjectIds read_ids(const std::string& name, std::span<const int64_t> rows) const;
  /// The texts of rows, one after another, without blanks at their ends. Throws Error for what is no text.
  std::vector<std::string> read_texts(const std::string& name, std::span<const int64_t> rows) const;

  Hdf5Layout layout(const std::string& name) const;
  /// The bytes of the chunk that begins at `origin` as stored, without undoing filters. Returns the bit mask of filters
  /// that were skipped for the chunk, or nullopt if the chunk was never written.
  std::optional<uint32_t> read_chunk(const std::string& name, std::span<const int64_t> origin,
                                     std::vector<std::byte>& raw) const;
  /// Bytes [offset, offset + out.size()) of the file, read without the lock. Throws Error when they cannot be read.
  void read_bytes(int64_t offset, std::span<std::byte> out) const;

  /// Creates a dataset (and the groups on its path): contiguous rows, allocated at once, or shuffled and deflated
  /// chunks of so many rows.
  void make_dataset(const std::string& name, DType dtype, const Shape& shape, int64_t chunk_rows = 0);
  /// Creates a dataset of identifiers; texts have at most `bytes` bytes each.
  void make_ids(const std::string& name, IdKind kind, int64_t count, int64_t bytes = 0);
  /// Where the first byte of a dataset is that make_dataset or make_ids allocated at once.
  int64_t offset(const std::string& name) const;
  /// Writes rows [begin, begin + count).
  void write_rows(const std::string& name, int64_t begin, int64_t count, DType dtype, const void* values);
  /// Creates a dataset of these identifiers.
  void write_ids(const std::string& name, const ObjectIds& ids);
  /// Writes a root attribute; text of more than 60,000 bytes continues in the attributes "NAME 2", "NAME 3" …
  void write_attribute(const std::string& name, const std::string& text);
  /// A root attribute, "" if there is none of that name.
  std::string attribute(const std::string& name) const;
  /// Writes everything; the file cannot be used afterwards. Call it before reading a file made by `create`.
  void close();

 private:
  struct Handle;
  std::shared_ptr<Handle> handle_;
};

}  // namespace astroclip::io
