#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace astroclip::testing_support {

/// The message of the Error that the action throws, "" for none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace astroclip::testing_support
