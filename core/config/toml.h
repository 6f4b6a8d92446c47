#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/problems.h"
#include "config/value.h"

namespace astroclip::config {

/// Reads a TOML file. Throws Error with file:line:column on a syntax error, and when the file cannot be read.
Table parse_file(const std::string& path);
/// The same with overrides applied, as apply_override does each.
Table parse_file(const std::string& path, const std::vector<std::string>& assignments);
/// The same for text; `name` stands for the file in locations.
Table parse_text(std::string_view text, const std::string& name);
/// TOML text that parses to an equal table.
std::string to_toml(const Table& table);
/// One value on one line, as it stands after "key = ".
std::string to_toml(const Value& value);
/// Applies `path.to.key=value` (a TOML value, or a bare string when it is none). A path element that names an
/// element of an array of tables is matched by the element's `name` (or `plugin`), or by its index from 0. A missing
/// table on the way is made, unless a near name suggests a slip. Throws Error when the path leads nowhere. What is
/// set has the location "origin assignment".
void apply_override(Table& table, std::string_view assignment, std::string_view origin = "--set");
/// The same with a value that is there already and keeps its locations; `key` is where the path stands, and `origin`
/// begins the Error.
void assign(Table& table, std::string_view path, Value value, const Location& key, const std::string& origin);

}  // namespace astroclip::config
