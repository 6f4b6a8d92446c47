#pragma once

#include <hdf5.h>
#include <sys/stat.h>

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_library_internal.h"
#include "io/hdf5/hdf5_output_internal.h"
#include "io/hdf5/written_rows_internal.h"

/// Shared by the sources of Hdf5File. The library's lock is held by whoever calls a member of a handle.
namespace astroclip::io {

/// Throws Error for another dtype than f32, f64 and i64.
hid_t memory_type(DType dtype);
std::vector<hsize_t> extents_of(const Shape& shape);

/// A file is known again by these.
struct Hdf5Stamp {
  dev_t device;
  ino_t inode;
  off_t bytes;
  timespec changed;

  bool operator==(const Hdf5Stamp& other) const {
    return device == other.device && inode == other.inode && bytes == other.bytes &&
           changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
  }
};

/// Open for reading, closed by its last user.
struct Hdf5Descriptor {
  int number;
  explicit Hdf5Descriptor(const std::string& path);
  Hdf5Descriptor(const Hdf5Descriptor&) = delete;
  Hdf5Descriptor& operator=(const Hdf5Descriptor&) = delete;
  ~Hdf5Descriptor();
  Hdf5Stamp stamp() const;
};

/// In bytes; a damaged file may tell of gigabytes.
constexpr size_t longest_text = size_t{1} << 24;

struct Hdf5File::Handle {
  std::string path;
  hid_t file = -1;
  std::atomic<std::shared_ptr<const Hdf5Descriptor>> descriptor;  ///< of a file being read, while that is open
  std::unique_ptr<Hdf5Output> output;                             ///< of a file being written
  std::optional<Hdf5Stamp> stamp;                                 ///< when it was opened first
  std::map<std::string, WrittenRows> written;                     ///< of datasets that were read

  ~Handle();
  /// Those being read, guarded by the library's lock; the most recently used first.
  static std::list<Handle*>& open_files();
  /// Opens the file unless it is open, and closes those used least recently that are too many.
  void use();
  void open();
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail(const std::string& name, const std::string& what) const;
  bool contains(const std::string& name);
  hid_t dataset(const std::string& name);
  Shape shape(const std::string& name, hid_t space) const;
  /// Throws Error for numbers of more bytes than any has: of a damaged file's, the library takes seconds.
  void require_width(const std::string& name, hid_t set) const;
  std::vector<std::string> children(const std::string& group, H5O_type_t wanted);
  /// Rows [begin, end) of a dataset, which is opened unless `set` is. Throws Error if some were never written and read
  /// as zeros.
  void read_written(const std::string& name, std::optional<Hdf5Id>& set, const Shape& whole, int64_t begin, int64_t end,
                    hid_t type, int64_t row_bytes, void* values);
  /// Rows [begin, begin + count) of an open dataset between the file and `values`.
  void read_block(const std::string& name, hid_t set, hid_t space, const Shape& whole, int64_t begin, int64_t count,
                  hid_t type, void* values) const;
  /// Rows in any order and with repeats, as values of a type in memory.
  void read_rows(const std::string& name, std::span<const int64_t> rows, hid_t type, size_t value_bytes, void* out);
  std::vector<std::string> read_texts(const std::string& name, std::span<const int64_t> rows);
  void make_dataset(const std::string& name, hid_t type, const Shape& shape, int64_t chunk_rows) const;
  void write_rows(const std::string& name, int64_t begin, int64_t count, hid_t type, const void* values);
  void write_piece(const std::string& name, std::string_view text) const;
  std::string read_piece(const std::string& name) const;
};

}  // namespace astroclip::io
