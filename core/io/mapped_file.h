#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace astroclip::io {

/// A whole file, mapped read-only during the lifetime of the object.
class MappedFile final : public Backing {
 public:
  /// Throws Error with the path and the system's reason; an empty file maps to no bytes.
  explicit MappedFile(const std::string& path);
  ~MappedFile() override;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Releases this process's mapped pages; the page cache is unaffected.
  void set_aside(const std::byte* data, int64_t bytes) const override;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace astroclip::io
