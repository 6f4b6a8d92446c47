#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "io/hdf5/block_cache.h"
#include "io/hdf5/hdf5.h"

namespace astroclip::io {

/// Reads rows of one dataset; thread-safe. Contiguous rows are read directly from the file and compressed chunks are
/// decoded here, both without HDF5's lock; other layouts are read by the library.
class RowReader {
 public:
  /// Decoded chunks are kept in `cache`. Throws Error if the file has no such dataset or it is not numeric.
  RowReader(Hdf5File file, std::string name, std::shared_ptr<BlockCache> cache);

  const Shape& shape() const { return layout_.shape; }
  /// The dtype that holds the dataset's numbers without loss: f32, f64 or i64.
  DType dtype() const { return layout_.dtype; }
  /// Number of rows that are decoded together, so that reading one costs as much as reading all.
  int64_t rows_together() const { return layout_.kind == Hdf5Layout::Kind::filtered ? layout_.chunk[0] : 1; }
  /// Size in bytes of those rows when decoded.
  int64_t bytes_together() const { return rows_together() * row_bytes_; }
  /// Whether rows in their own dtype are read outside the library's lock.
  bool is_parallel() const { return layout_.kind == Hdf5Layout::Kind::contiguous || is_decoded_here(); }
  /// Rows in any order and with repeats into `out`, converted to f32, f64 or i64. Throws Error naming file, dataset
  /// and rows if a row is outside the dataset or cannot be read.
  void read(std::span<const int64_t> rows, DType dtype, void* out) const;

 private:
  /// A block is the set of chunks that hold the same rows; it must fit into the cache.
  bool is_decoded_here() const;
  void read_contiguous(std::span<const int64_t> rows, std::byte* out) const;
  void read_blocks(std::span<const int64_t> rows, std::byte* out) const;
  void decode_block(int64_t index, BlockCache::Block& block) const;
  void place_chunk(std::span<const int64_t> origin, std::span<const std::byte> chunk, BlockCache::Block& block) const;

  Hdf5File file_;
  std::string name_;
  std::shared_ptr<BlockCache> cache_;
  uint64_t owner_;
  Hdf5Layout layout_;
  int64_t row_bytes_;
};

}  // namespace astroclip::io
