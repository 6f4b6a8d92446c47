#include "fits/seen_files.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/rng.h"
#include "io/mapped_file.h"

namespace astroclip::fits {

namespace {

uint64_t hash_of_bytes(const std::string& path) {
  const io::MappedFile file(path);
  return stable_hash({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
}

}  // namespace

std::optional<std::string> SeenFiles::find_or_add(const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return {};
  auto& same_size = by_size_[size];
  Seen file{path, {}};
  try {
    for (Seen& other : same_size) {
      if (!other.hash) other.hash = hash_of_bytes(other.path);
      if (!file.hash) file.hash = hash_of_bytes(path);
      if (other.hash == file.hash) return other.path;
    }
  } catch (const Error&) {
    return {};
  }
  same_size.push_back(file);
  return {};
}

}  // namespace astroclip::fits
