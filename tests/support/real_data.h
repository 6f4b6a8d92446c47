#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace astroclip::testing_support {

/// A file of the real observations (ASTROCLIP_REAL_DATA, or ../shared/data beside the project); "" where it is not.
inline std::string real_file(const std::string& name) {
  const char* folder = std::getenv("ASTROCLIP_REAL_DATA");
  const std::string path = std::string(folder != nullptr ? folder : ASTROCLIP_SHARED_DATA) + "/" + name;
  return std::filesystem::is_regular_file(path) ? path : "";
}

}  // namespace astroclip::testing_support
