#pragma once

#include <string>
#include <utility>
#include <vector>

namespace astroclip {

/// Names and versions of the libraries that results may depend on: of shared objects as they are loaded.
std::vector<std::pair<std::string, std::string>> library_versions();
/// "GCC 12.2.0": what this program was compiled with.
std::string compiler_version();

}  // namespace astroclip
