#pragma once

#include <stdexcept>
#include <string>

namespace astroclip {

/// An error with a message meant for the person at the terminal: it names the place, what was expected
/// and what was found. Every error the library raises on bad input is one of these.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace astroclip
