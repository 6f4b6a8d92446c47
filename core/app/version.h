#pragma once

#include <string>

namespace astroclip::app {

/// What this program is, was built with, and finds on this machine: a line each.
std::string version_text();

}  // namespace astroclip::app
