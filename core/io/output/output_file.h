#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace astroclip::io {

/// An open file that is written. All that the project writes itself goes through here: what the system took only in
/// part is written on, and every failure is an Error naming the path and the system's reason.
class OutputFile {
 public:
  enum class Mode {
    create,  ///< anew and empty; never a file that is there
    append,  ///< behind what is there, if anything
    update,  ///< in place; the file must be there
  };
  /// `shown` names the file in errors, when it is not to be `path`.
  OutputFile(std::string path, Mode mode, std::string shown = "");
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// As errors name it.
  const std::string& path() const { return shown_; }

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// Bytes that were written; those behind the end are left as they are in `bytes`.
  void read_at(int64_t offset, std::span<std::byte> bytes) const;
  int64_t size() const;
  /// Cuts off what lies behind `size` bytes.
  void truncate(int64_t size);
  /// All that was written is on disk when this returns, whoever wrote it.
  void sync();
  void close();

  /// Takes the file for this object; false when another has it. The system frees it when the holder ends, however it
  /// does. Advisory: stops only those who ask, and nobody where the file system has no locks.
  bool try_lock();

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string path_, shown_;
  int descriptor_;
};

enum class LockState { unlocked, locked, unknown };
/// Whether somebody holds the lock of a file; unknown where there is no file, or no locks.
LockState lock_state(const std::string& path);

}  // namespace astroclip::io
