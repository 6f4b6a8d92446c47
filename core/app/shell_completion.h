#pragma once

#include <span>
#include <string>

#include "app/verb.h"

namespace astroclip::app {

/// A script by which a shell completes verbs, their options and what the values can be. `shell` is "bash", "zsh" or
/// "fish"; throws UsageError for another.
std::string completion_script(const std::string& shell, std::span<const Verb> verbs);

}  // namespace astroclip::app
