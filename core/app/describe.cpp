#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "app/verbs.h"
#include "base/text.h"
#include "experiment/experiment.h"
#include "plugin/host.h"
#include "sweep/plan.h"

namespace astroclip::app {

namespace {

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

void print_rows(const std::vector<Row>& rows) {
  Row::size_type widths[5] = {};
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i) line += row[i] + std::string(widths[i] - text_width(row[i]) + 2, ' ');
    fmt::print("  {}{}\n", line, row.back());
  }
}

void print_table(const std::vector<config::FieldDescription>& fields) {
  std::vector<Row> rows = {{"parameter", "type", "default", "range", "meaning"}};
  add_rows(fields, "", rows);
  print_rows(rows);
}

void print_plugin(const plugin::Listing& listing) {
  const auto schema = plugin::Host::instance().schema(*listing.kind, listing.name);
  fmt::print("{} '{}': {}\n{}\n", plugin::kind_name(*listing.kind), listing.name, schema.summary,
             listing.file.string());
  if (schema.fields.empty()) {
    fmt::print("\n  no parameters\n");
    return;
  }
  fmt::print("\n");
  print_table(schema.fields);
}

std::string in_cell(std::string text) {
  for (size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, 1, '\\');
  return text;
}

void print_markdown_table(const std::vector<config::FieldDescription>& fields) {
  if (fields.empty()) {
    fmt::print("No parameters.\n\n");
    return;
  }
  std::vector<Row> rows;
  add_rows(fields, "", rows);
  fmt::print("| parameter | type | default | range | meaning |\n|---|---|---|---|---|\n");
  for (const auto& [name, type, fallback, range, meaning] : rows) {
    const auto code = [](const std::string& text) { return text.empty() ? "" : fmt::format("`{}`", in_cell(text)); };
    fmt::print("| {} | {} | {} | {} | {} |\n", code(name), type, fallback == "required" ? fallback : code(fallback),
               in_cell(range), in_cell(meaning));
  }
  fmt::print("\n");
}

std::vector<config::FieldDescription> experiment_keys() {
  auto keys = describe_experiment();
  keys.push_back(sweep::describe_sweep());
  return keys;
}

void print_markdown_plugin(const plugin::Listing& listing) {
  const auto schema = plugin::Host::instance().schema(*listing.kind, listing.name);
  fmt::print("### {}\n\n{}\n\n", listing.name, schema.summary);
  print_markdown_table(schema.fields);
}

/// docs/plugins.md
void print_markdown_plugins() {
  fmt::print(
      "# Plugins\n\nEvery parameter, as `astroclip describe --markdown` prints them. They stand beside\n"
      "`plugin = \"NAME\"` in an experiment file (`reference.md`); `writing-plugins.md` shows how to write a "
      "plugin.\n\n");
  std::optional<plugin::Kind> last;
  for (const auto& listing : plugin::Host::instance().list()) {
    if (!listing.problem.empty()) continue;
    if (listing.kind != last) fmt::print("## {}\n\n", plugin::kind_folder(*listing.kind));
    last = listing.kind;
    print_markdown_plugin(listing);
  }
}

void print_experiment(bool as_markdown) {
  const auto keys = experiment_keys();
  if (as_markdown) {
    // docs/reference.md
    fmt::print(
        "# The experiment file\n\nEvery key, as `astroclip describe experiment --markdown` prints them. What a plugin "
        "takes stands in\n`plugins.md`.\n\n");
    return print_markdown_table(keys);
  }
  fmt::print("Keys of an experiment file\n\n");
  print_table(keys);
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
  const std::string near = suggestion(name, names);
  throw Error(
      fmt::format("there is no plugin '{}'{}", name, near.empty() ? "; astroclip list names all plugins" : near));
}

int describe(const options::variables_map& values) {
  const bool as_markdown = values.contains("markdown");
  if (!values.contains("plugin")) {
    if (!as_markdown) throw UsageError("describe needs the name of a plugin");
    return print_markdown_plugins(), 0;
  }
  const auto name = values["plugin"].as<std::string>();
  if (name == "experiment") return print_experiment(as_markdown), 0;
  const auto plugins = find_all(name);
  for (size_t i = 0; i < plugins.size(); ++i) {
    if (as_markdown) {
      print_markdown_plugin(plugins[i]);
      continue;
    }
    if (i > 0) fmt::print("\n");
    print_plugin(plugins[i]);
  }
  return 0;
}

}  // namespace

Verb describe_verb() {
  Verb verb{"describe",
            {"PLUGIN [--markdown]", "experiment [--markdown]", "--markdown"},
            "print every parameter of a plugin",
            "Prints every parameter of a plugin, every key of an experiment file, or every plugin with its parameters: "
            "type, default, range and meaning."};
  verb.positionals = {{"plugin", "PLUGIN", "a plugin's name, or experiment"}};
  verb.options.add_options()("markdown", "as Markdown");
  verb.examples = {{"astroclip describe clip", "what the loss can be given"},
                   {"astroclip describe experiment", "what an experiment file can say"}};
  verb.run = describe;
  return verb;
}

}  // namespace astroclip::app
