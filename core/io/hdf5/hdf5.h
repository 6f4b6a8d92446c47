#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/output/output_file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace astroclip::io {

/// What a chunk was put through when it was written.
enum class ChunkFilter { shuffle, deflate, lzf };

/// How a dataset of native f32, f64 or i64 lies in its file; `other` is what only the library can read: datasets of
/// other types, never written, virtual or outside the file (by a link, too), with filters of other kinds or chunks
/// without any.
struct Hdf5Layout {
  enum class Kind { contiguous, filtered, other };
  Kind kind = Kind::other;
  DType dtype = DType::f32;
  Shape shape;
  int64_t offset = 0;                ///< contiguous: of the first byte in the file
  Shape chunk;                       ///< filtered: extents of a chunk
  std::vector<ChunkFilter> filters;  ///< filtered: in the order of writing
};

/// An HDF5 file of numeric datasets whose first axis counts rows. One lock guards every call into the library, which
/// Debian builds without thread safety, so a file may be used from several threads. Errors name file and dataset.
class Hdf5File {
 public:
  /// Opens for reading. Throws Error when the file is missing, no HDF5 file, or truncated.
  static Hdf5File open(const std::string& path);
  /// Makes an empty file of what is written to `file`, which must outlive it. A write that fails is thrown by the call
  /// that wrote, or by `close`.
  static Hdf5File create(OutputFile& file);

  const std::string& path() const;
  bool contains(const std::string& name) const;
  /// Names of the datasets and groups in a group ("" is the root), sorted.
  std::vector<std::string> groups(const std::string& group) const;
  std::vector<std::string> datasets(const std::string& group) const;
  /// Throws Error when there is no such dataset, or it has more than six axes.
  Shape shape(const std::string& name) const;
  /// Throws Error naming both shapes unless the dataset's fits; an extent of −1 fits any.
  Shape expect_shape(const std::string& name, std::span<const int64_t> expected) const;
  /// Whether the dataset holds integers or floating-point numbers.
  bool has_numbers(const std::string& name) const;
  /// The dtype that holds the dataset's numbers without loss: f32, f64 or i64. Throws Error when it has no numbers.
  DType dtype(const std::string& name) const;

  /// Reads rows, in any order and with repeats, into `out`, converted to f32, f64 or i64. Neighbouring rows are read
  /// in one go. Throws Error when a row is outside the dataset or cannot be read.
  void read_rows(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const;

  Hdf5Layout layout(const std::string& name) const;
  /// The bytes of the chunk that begins at `origin`, as they are in the file: filters are not undone. Returns the bit
  /// mask of filters that the chunk was not put through, nothing when the chunk was never written.
  std::optional<uint32_t> read_chunk(const std::string& name, std::span<const int64_t> origin,
                                     std::vector<std::byte>& raw) const;
  /// Bytes [offset, offset + out.size()) of the file, read without the lock. Throws Error when they cannot be read.
  void read_bytes(int64_t offset, std::span<std::byte> out) const;

  /// Makes a dataset (and the groups on its path): contiguous rows, which have their place at once, or chunks of so
  /// many rows, shuffled and deflated.
  void make_dataset(const std::string& name, DType dtype, const Shape& shape, int64_t chunk_rows = 0);
  /// Writes `count` rows from `begin` on.
  void write_rows(const std::string& name, int64_t begin, int64_t count, DType dtype, const void* values);
  /// Of the root; text of more than 60,000 bytes goes on in the attributes "NAME 2", "NAME 3" …
  void write_attribute(const std::string& name, const std::string& text);
  /// The root's attribute, "" when it has none of that name.
  std::string attribute(const std::string& name) const;
  /// Writes everything; nothing may be asked of the file after that. To be called before a file made by `create` is
  /// looked at.
  void close();

 private:
  struct Handle;
  std::shared_ptr<Handle> handle_;
};

}  // namespace astroclip::io
