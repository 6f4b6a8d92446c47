#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace astroclip::train {

/// A file that grows by whole records, each of which reaches the system before `write` returns: a kill loses none, and
/// cuts off at most the one being written. Every failure is an Error naming the path and the system's reason.
class AppendFile {
 public:
  explicit AppendFile(std::string path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void write(std::string_view record);
  /// Everything written is on disk when this returns.
  void sync();

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string path_;
  std::FILE* file_;
};

}  // namespace astroclip::train
