#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace astroclip::io {

/// A whole file, mapped read-only for as long as this lives.
class MappedFile final : public Backing {
 public:
  /// Throws Error with the path and the system's reason; an empty file maps to no bytes.
  explicit MappedFile(const std::string& path);
  ~MappedFile() override;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// The pages of this process alone are given back; the system keeps the file's as it likes.
  void set_aside(const std::byte* data, int64_t bytes) const override;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace astroclip::io
