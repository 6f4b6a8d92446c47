#pragma once

#include <string>
#include <vector>

#include "app/verb.h"

namespace astroclip::app {

/// What a shell can offer for a value.
struct ValueWords {
  enum class Kind { none, files, folders, choices, plugins };
  Kind kind = Kind::none;
  std::vector<std::string> choices = {};
};

/// What the name of a value says of it: see Verb.
ValueWords words_for(const std::string& value_name);

/// "" for an option without a value.
std::string value_name_of(const options::option_description& option);

}  // namespace astroclip::app
