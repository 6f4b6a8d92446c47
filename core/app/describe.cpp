#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>

#include "app/verbs.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

/// Name, type, default, range, meaning.
using Row = std::array<std::string, 5>;

/// One row for each parameter, those of a section below it with dotted names.
void add_rows(const std::vector<config::FieldDescription>& fields, const std::string& prefix, std::vector<Row>& rows) {
  for (const auto& field : fields) {
    const bool is_section = field.type == "section";
    const bool is_required = field.fallback.empty() && !is_section;
    rows.push_back(
        {prefix + field.name, field.type, is_required ? "required" : field.fallback, field.range, field.meaning});
    add_rows(field.fields, prefix + field.name + ".", rows);
  }
}

/// Code points, near enough to columns for what stands in a schema.
size_t columns_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void print_rows(const std::vector<Row>& rows) {
  Row::size_type widths[5] = {};
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i) line += row[i] + std::string(widths[i] - columns_of(row[i]) + 2, ' ');
    fmt::print("  {}{}\n", line, row.back());
  }
}

void print_plugin(const plugin::Listing& listing) {
  const auto schema = plugin::Host::instance().schema(*listing.kind, listing.name);
  fmt::print("{} '{}': {}\n{}\n", plugin::kind_name(*listing.kind), listing.name, schema.summary,
             listing.file.string());
  if (schema.fields.empty()) {
    fmt::print("\n  no parameters\n");
    return;
  }
  std::vector<Row> rows = {{"parameter", "type", "default", "range", "meaning"}};
  add_rows(schema.fields, "", rows);
  fmt::print("\n");
  print_rows(rows);
}

/// The plugins of that name, one for each kind. Throws Error when there is none or one cannot be used.
std::vector<plugin::Listing> find_all(const std::string& name) {
  std::vector<plugin::Listing> found;
  std::vector<std::string> names;
  for (const auto& one : plugin::Host::instance().list()) {
    names.push_back(one.name);
    if (one.name != name) continue;
    if (!one.problem.empty()) throw Error(fmt::format("plugin '{}': {} {}", name, one.file.string(), one.problem));
    found.push_back(one);
  }
  if (!found.empty()) return found;
  const std::string near = config::nearest(name, names);
  throw Error(
      fmt::format("there is no plugin '{}'{}", name,
                  near.empty() ? "; astroclip list names those there are" : fmt::format("; did you mean '{}'?", near)));
}

}  // namespace

int describe_command(std::span<const std::string> arguments) {
  options::options_description all;
  all.add_options()("help", "print this")("plugin", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("plugin", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    fmt::print(
        "usage: astroclip describe PLUGIN\n\n"
        "Prints every parameter of a plugin: type, default, range and meaning.\n");
    return 0;
  }
  if (values.count("plugin") == 0) throw UsageError("describe needs the name of a plugin");
  const auto plugins = find_all(values["plugin"].as<std::string>());
  for (size_t i = 0; i < plugins.size(); ++i) {
    if (i > 0) fmt::print("\n");
    print_plugin(plugins[i]);
  }
  return 0;
}

}  // namespace astroclip::app
