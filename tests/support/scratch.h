#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace astroclip::testing_support {

/// A folder for this test process alone, which goes with it.
class ScratchFolder {
 public:
  ScratchFolder() { std::filesystem::create_directories(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    if (getpid() != owner_) return;  // a forked child leaves it to its parent
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  pid_t owner_ = getpid();
  std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / ("astroclip_tests_" + std::to_string(owner_));
};

/// A path in that folder.
inline std::string scratch(const std::string& name) {
  static const ScratchFolder folder;
  return (folder.path() / name).string();
}

}  // namespace astroclip::testing_support
