#pragma once

#include <stdexcept>
#include <string>

namespace astroclip {

/// An error with a message for the user: it names the place, what was expected and what was found. The library throws
/// it for every bad input. Exported, so that plugins built with hidden visibility throw the same type.
class __attribute__((visibility("default"))) Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace astroclip
