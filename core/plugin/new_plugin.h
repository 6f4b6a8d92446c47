#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugin/host.h"

namespace astroclip::plugin {

/// Where astroclip stands: the folder of bin/, lib/ and share/, to be found by CMake (CMAKE_PREFIX_PATH).
std::filesystem::path installation();

/// Writes a plugin that works as it is: source, test, CMakeLists.txt and an experiment file, from
/// share/astroclip/templates/KIND. Gives the files written. `folder` must not be there yet. Throws Error when it is,
/// and when `name` is no name for a plugin or one that the host knows already.
std::vector<std::filesystem::path> write_new_plugin(Kind kind, const std::string& name,
                                                    const std::filesystem::path& folder);

}  // namespace astroclip::plugin
