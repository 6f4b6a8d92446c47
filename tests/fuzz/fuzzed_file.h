#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace astroclip::fuzz {

/// The fuzzer's bytes as a file that readers can open by its path; it lives in memory only. It has a name of its own,
/// which HDF5 needs.
class FuzzedFile {
 public:
  FuzzedFile(const uint8_t* data, size_t size) {
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0 || write(descriptor, data, size) != static_cast<ssize_t>(size)) std::abort();
    close(descriptor);
  }
  ~FuzzedFile() { unlink(path_.c_str()); }
  FuzzedFile(const FuzzedFile&) = delete;
  FuzzedFile& operator=(const FuzzedFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/dev/shm/fuzzed_XXXXXX";
};

}  // namespace astroclip::fuzz
