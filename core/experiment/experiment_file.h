#pragma once

#include <string>
#include <vector>

#include "config/value.h"

namespace astroclip {

/// Reads an experiment file, or one of an architecture, and applies `--set` assignments. Throws Error with the place of
/// a syntax error; of a file in another format it says what that is.
config::Table parse_experiment(const std::string& path, const std::vector<std::string>& assignments = {});

}  // namespace astroclip
