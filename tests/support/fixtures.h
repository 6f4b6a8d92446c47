#pragma once

#include <string>

namespace astroclip::testing_support {

/// The path of a file in tests/fixtures.
inline std::string fixture(const std::string& name) { return std::string(ASTROCLIP_FIXTURES) + "/" + name; }

}  // namespace astroclip::testing_support
