#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "config/toml.h"

namespace astroclip::config {

namespace {

/// One assignment on its way down the tables.
struct Override {
  std::string text;   ///< "--set encoders.image.dim=3", for messages
  Location location;  ///< of the keys that are made on the way
  [[noreturn]] void fail(const std::string& why) const { throw Error(fmt::format("{}: {}", text, why)); }
};

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const auto dot = path.find('.');
    parts.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

/// Gives everything inside the location of the override.
void relocate(Value& value, const Location& location) {
  Value moved(std::move(value.data()), location);
  if (auto* array = moved.get_if<Array>())
    for (auto& element : *array) relocate(element, location);
  if (auto* table = moved.get_if<Table>()) {
    Table copy;
    for (auto entry : table->entries()) {
      relocate(entry.value, location);
      copy.set(entry.key, entry.value, location);
    }
    *table = std::move(copy);
  }
  value = std::move(moved);
}

Value parse_value(std::string_view text, const Override& change) {
  Value value(std::string(text), change.location);
  try {
    const Table parsed = parse_text(fmt::format("value = {}", text), "value");
    if (parsed.entries().size() == 1) value = *parsed.find("value");
  } catch (const Error&) {
    // A word is a string; something that begins as a list, a table or a quoted string is a slip.
    if (text.find_first_of("[{\"'") == 0) change.fail(fmt::format("{} is no TOML value", text));
  }
  relocate(value, change.location);
  return value;
}

std::vector<std::string> keys_of(const Table& table) {
  std::vector<std::string> keys;
  for (const auto& entry : table.entries()) keys.push_back(entry.key);
  return keys;
}

/// The names by which an element of an array of tables goes.
std::vector<std::string> names_of(const Value& element) {
  std::vector<std::string> names;
  if (const auto* table = element.get_if<Table>())
    for (const char* key : {"name", "plugin"})
      if (const Value* name = table->find(key); name != nullptr && name->get_if<std::string>() != nullptr)
        names.push_back(*name->get_if<std::string>());
  return names;
}

Value& step_into_array(Array& array, const std::string& word, const std::string& path, const Override& change) {
  std::vector<std::string> all;
  for (const size_t which : {0, 1}) {  // a name goes before any plugin
    for (auto& element : array) {
      const auto names = names_of(element);
      if (which >= names.size()) continue;
      if (names[which] == word) return element;
      all.push_back(names[which]);
    }
  }
  size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  const bool is_index = error == std::errc() && end == word.data() + word.size();
  if (is_index && index < array.size()) return array[index];
  if (is_index) change.fail(fmt::format("'{}' has {} elements, counted from 0", path, array.size()));
  change.fail(fmt::format("no element of '{}' has the name or plugin '{}'{}", path, word, suggestion(word, all)));
}

Value& step_into_table(Table& table, const std::string& word, const std::string& path, const Override& change) {
  if (Value* found = table.find(word)) return *found;
  const std::string near = suggestion(word, keys_of(table));
  if (!near.empty())
    change.fail(path.empty() ? fmt::format("there is no section '{}'{}", word, near)
                             : fmt::format("'{}' has no section '{}'{}", path, word, near));
  table.set(word, Value(Table{}, change.location), change.location);
  return *table.find(word);
}

/// Puts the value where the path leads.
void place(Table& table, std::string_view where, Value value, const Override& change) {
  const auto parts = split(trimmed(where));
  for (const auto& part : parts)
    if (part.empty()) change.fail("the path has an empty element");

  Table* here = &table;
  Value* at = nullptr;
  std::string path;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    Array* array = at == nullptr ? nullptr : at->get_if<Array>();
    at = array != nullptr ? &step_into_array(*array, parts[i], path, change)
                          : &step_into_table(*here, parts[i], path, change);
    path += (path.empty() ? "" : ".") + parts[i];
    here = at->get_if<Table>();
    if (here == nullptr && at->get_if<Array>() == nullptr)
      change.fail(fmt::format("'{}' is {}, not a table", path, at->kind()));
  }
  if (here != nullptr) {
    here->set(parts.back(), std::move(value), change.location);
  } else {
    step_into_array(*at->get_if<Array>(), parts.back(), path, change) = std::move(value);
  }
}

}  // namespace

void apply_override(Table& table, std::string_view assignment, std::string_view origin) {
  const std::string text = fmt::format("{} {}", origin, assignment);
  const Override change{text, {text, 0, 0}};
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) change.fail("expected path.to.key=value");
  place(table, assignment.substr(0, equals), parse_value(trimmed(assignment.substr(equals + 1)), change), change);
}

void assign(Table& table, std::string_view path, Value value, const Location& key, const std::string& origin) {
  place(table, path, std::move(value), {origin, key});
}

Table parse_file(const std::string& path, const std::vector<std::string>& assignments) {
  Table file = parse_file(path);
  if (file.empty()) throw Error(fmt::format("{}: is empty, an experiment was expected", path));
  for (const auto& assignment : assignments) apply_override(file, assignment);
  return file;
}

}  // namespace astroclip::config
