#pragma once

#include <string>
#include <vector>

#include "config/problems.h"

namespace astroclip::sweep {

/// Whether a table is a range, not a section: it has the key "from".
bool is_range(const config::Table& table);

/// The values of { from, to, step } or { from, to, count, scale }, both ends included (`to` where a step falls on it).
/// Integers where from, to and every value between them are whole, else numbers rounded to 12 digits. None, with
/// problems added, when it cannot be read.
std::vector<config::Value> read_range(const config::Table& table, const std::string& where,
                                      const config::Location& place, config::Problems& problems);

}  // namespace astroclip::sweep
