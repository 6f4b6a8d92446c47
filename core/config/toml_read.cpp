// Reading TOML. The one file that sees toml++.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/toml.h"

namespace astroclip::config {

namespace {

class Converter {
 public:
  explicit Converter(std::string file) : file_(std::move(file)) {}

  Table table(const toml::table& source) {
    struct Item {
      toml::source_position place;
      const toml::key* key;
      const toml::node* node;
    };
    std::vector<Item> items;
    for (const auto& [key, node] : source) items.push_back({key.source().begin, &key, &node});
    // toml++ sorts keys by name; a person expects them in the order they were written.
    std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.place < b.place; });
    Table table;
    for (const auto& item : items)
      table.set(std::string(item.key->str()), value(*item.node, location(item.place)), location(item.place));
    return table;
  }

  const Problems& problems() const { return problems_; }

 private:
  Location location(const toml::source_position& place) const {
    return {file_, static_cast<int>(place.line), static_cast<int>(place.column)};
  }

  /// A table that was made by a longer header, as a in [a.b], has no place of its own: it gets its key's.
  Value value(const toml::node& node, const Location& key) {
    const auto& begin = node.source().begin;
    const Location place = begin.line > 0 ? location(begin) : key;
    switch (node.type()) {
      case toml::node_type::boolean:
        return {node.as_boolean()->get(), place};
      case toml::node_type::integer:
        return {node.as_integer()->get(), place};
      case toml::node_type::floating_point:
        return {node.as_floating_point()->get(), place};
      case toml::node_type::string:
        return {node.as_string()->get(), place};
      case toml::node_type::array:
        return {array(*node.as_array(), place), place};
      case toml::node_type::table:
        return {table(*node.as_table()), place};
      default:
        problems_.add(place, "dates and times have no use here; write a string");
        return {std::string(), place};
    }
  }

  Array array(const toml::array& source, const Location& place) {
    Array array;
    for (const auto& node : source) array.push_back(value(node, place));
    return array;
  }

  std::string file_;
  Problems problems_;
};

}  // namespace

Table parse_text(std::string_view text, const std::string& name) {
  Converter converter(name);
  Problems problems;
  try {
    auto table = converter.table(toml::parse(text, name));
    problems = converter.problems();
    problems.throw_if_any();
    return table;
  } catch (const toml::parse_error& error) {
    const auto& place = error.source().begin;
    problems.add({name, static_cast<int>(place.line), static_cast<int>(place.column)},
                 std::string(error.description()));
  }
  problems.throw_if_any();
  return {};
}

Table parse_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // An empty file is fine, but leaves `text` in a failed state.
  const bool is_readable = file.good() && (file.peek() == EOF ? !file.bad() : static_cast<bool>(text << file.rdbuf()));
  if (!is_readable) throw Error(fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  return parse_text(text.str(), path);
}

}  // namespace astroclip::config
