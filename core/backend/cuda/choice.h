#pragma once

#include <cstdlib>
#include <string_view>

namespace astroclip::cuda {

/// The value of an environment variable that chooses a way of computing; "" where it is not set.
inline std::string_view choice(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace astroclip::cuda
