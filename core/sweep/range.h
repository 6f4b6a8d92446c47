#pragma once

#include <string>
#include <vector>

#include "config/problems.h"

namespace astroclip::sweep {

/// Whether a table stands for values of its own rather than for a section: it has the key "from".
bool is_range(const config::Table& table);

/// The values of { from, to, step } or { from, to, count, scale }, both ends included (`to` where a step falls on it).
/// Integers where from, to and every value between them are whole, else numbers rounded to 12 digits. None, with
/// problems added, when it cannot be read.
std::vector<config::Value> read_range(const config::Table& table, const std::string& where,
                                      const config::Location& place, config::Problems& problems);

}  // namespace astroclip::sweep
