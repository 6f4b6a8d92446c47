#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace astroclip::io {

/// A file open for writing. Everything that astroclip writes goes through this class: it completes short writes, and
/// every failure is an Error naming the path and the system's reason.
class OutputFile {
 public:
  enum class Mode {
    create,  ///< a new, empty file; fails if it exists
    append,  ///< at the end of the file, which need not exist
    update,  ///< in place; the file must exist
  };
  /// `shown` names the file in errors instead of `path`.
  OutputFile(std::string path, Mode mode, std::string shown = "");
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// The name shown in errors.
  const std::string& path() const { return shown_; }

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// Reads back written bytes; leaves the part of `bytes` past the end of the file unchanged.
  void read_at(int64_t offset, std::span<std::byte> bytes) const;
  int64_t size() const;
  /// Cuts the file to `size` bytes.
  void truncate(int64_t size);
  /// Returns when everything written to the file, by any process, is on disk.
  void sync();
  void close();

  /// Locks the file; false if it is locked already. The system releases the lock when its holder ends, in any way. The
  /// lock is advisory, and always succeeds on file systems without locks.
  bool try_lock();

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string path_, shown_;
  int descriptor_;
};

enum class LockState { unlocked, locked, unknown };
/// Whether a file is locked; unknown if there is no file, or the file system has no locks.
LockState lock_state(const std::string& path);

}  // namespace astroclip::io
