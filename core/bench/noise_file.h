#pragma once

#include <cstdint>
#include <string>

namespace astroclip::bench {

/// A survey file of noise, the worst that a compressor meets; removed with its owner.
class NoiseFile {
 public:
  static constexpr int64_t object_count = 256;
  static constexpr int64_t together = 16;  ///< rows of a compressed chunk
  static constexpr int64_t image_size = int64_t{3} * 152 * 152;

  explicit NoiseFile(bool is_compressed);
  ~NoiseFile();
  NoiseFile(const NoiseFile&) = delete;
  NoiseFile& operator=(const NoiseFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace astroclip::bench
