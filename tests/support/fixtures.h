#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace astroclip::testing_support {

/// The path of a file of the source tree. ASTROCLIP_SOURCE names the tree where the tests run elsewhere than they were
/// built (tools/gpu_check).
inline std::string source_file(const std::string& name) {
  static const std::filesystem::path built = std::filesystem::path(ASTROCLIP_FIXTURES).parent_path().parent_path();
  const char* moved = std::getenv("ASTROCLIP_SOURCE");
  return (moved != nullptr ? moved : built) / name;
}

/// The path of a file in tests/fixtures.
inline std::string fixture(const std::string& name) { return source_file("tests/fixtures/" + name); }

}  // namespace astroclip::testing_support
