#pragma once

#include <stdexcept>
#include <string>

namespace astroclip {

/// An error with a message meant for the person at the terminal: it names the place, what was expected
/// and what was found. Every error the library raises on bad input is one of these.
/// Exported, so that one thrown by a plugin built with hidden visibility is the same type everywhere.
class __attribute__((visibility("default"))) Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace astroclip
