#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace astroclip::io {

/// A whole file, mapped read-only for as long as this lives.
class MappedFile {
 public:
  /// Throws Error with the path and the system's reason; an empty file maps to no bytes.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace astroclip::io
