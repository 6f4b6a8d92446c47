#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "io/output/output_file.h"

namespace astroclip::fits {

/// Images that wait to be written, in a file without a name, so that many of them do not fill the memory.
class PixelStore {
 public:
  /// The file is made beside `path` when the first image comes. Errors name `path`.
  explicit PixelStore(std::string path) : path_(std::move(path)) {}

  /// Returns where the values are.
  int64_t add(std::span<const float> values);
  void read(int64_t place, std::span<float> values) const;

 private:
  std::string path_;
  std::unique_ptr<io::OutputFile> file_;
  int64_t end_ = 0;
};

}  // namespace astroclip::fits
