#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace astroclip::fits {

/// Recognises a file that comes again, by its path or byte for byte under another.
class SeenFiles {
 public:
  /// The earlier file that this one is; none, and the file is remembered, if it is new or cannot be read.
  std::optional<std::string> find_or_add(const std::string& path);

 private:
  struct Seen {
    std::string path;
    std::optional<uint64_t> hash;  ///< made when a second file of the size comes
  };
  std::map<uintmax_t, std::vector<Seen>> by_size_;
};

}  // namespace astroclip::fits
