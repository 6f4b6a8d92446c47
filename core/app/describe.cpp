#include <fmt/format.h>

#include <optional>

#include "app/verbs.h"
#include "base/table.h"
#include "base/text.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "plugin/host.h"
#include "sweep/plan.h"

namespace astroclip::app {

namespace {

/// Adds a row of name, type, default, range and meaning for each parameter; those of a section follow it, with dotted
/// names.
void add_rows(const std::vector<config::FieldDescription>& fields, const std::string& prefix,
              std::vector<TableRow>& rows) {
  for (const auto& field : fields) {
    const bool is_section = field.type == "section";
    const bool is_required = field.fallback.empty() && !is_section;
    rows.push_back(
        {prefix + field.name, field.type, is_required ? "required" : field.fallback, field.range, field.meaning});
    add_rows(field.fields, prefix + field.name + ".", rows);
  }
}

void print_table(const std::vector<config::FieldDescription>& fields) {
  std::vector<TableRow> rows = {{"parameter", "type", "default", "range", "meaning"}};
  add_rows(fields, "", rows);
  fmt::print("{}", format_table(rows));
}

void print_plugin(const plugin::Listing& listing) {
  const auto plugin = plugin::Host::instance().describe(*listing.kind, listing.name);
  fmt::print("{} '{}': {}\n{}\n\n", plugin::kind_name(*listing.kind), listing.name, plugin.summary,
             listing.file.string());
  if (plugin.fields.empty()) {
    fmt::print("  no parameters\n");
  } else {
    print_table(plugin.fields);
  }
  if (!plugin.example.empty()) fmt::print("\nFor example:\n\n{}", plugin.example);
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
  std::vector<TableRow> rows;
  add_rows(fields, "", rows);
  fmt::print("| parameter | type | default | range | meaning |\n|---|---|---|---|---|\n");
  for (const TableRow& row : rows) {
    const std::string &name = row[0], &type = row[1], &fallback = row[2], &range = row[3], &meaning = row[4];
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
  const auto plugin = plugin::Host::instance().describe(*listing.kind, listing.name);
  fmt::print("### {}\n\n{}\n\n", listing.name, plugin.summary);
  if (!plugin.example.empty()) fmt::print("```toml\n{}```\n\n", plugin.example);
  print_markdown_table(plugin.fields);
}

/// docs/plugins.md
void print_markdown_plugins() {
  fmt::print(
      "# Plugins\n\nAll parameters of all plugins, as printed by `astroclip describe --markdown`. In an experiment "
      "file\n(`reference.md`) they follow `plugin = \"NAME\"`; `writing-plugins.md` shows how to write a "
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
        "# The experiment file\n\nAll keys, as printed by `astroclip describe experiment --markdown`; `plugins.md` has "
        "the parameters of\nplugins.\n\n");
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
  throw Error(fmt::format("there is no plugin '{}'{}", name, near.empty() ? "; see: astroclip list" : near));
}

/// What the dataset of an experiment file reads of each object.
void print_fields(const std::string& path) {
  const config::Table file = parse_experiment(path);
  const config::Value* section = file.find("dataset");
  if (section == nullptr) throw Error(fmt::format("{}: has no section [dataset]", path));
  config::Problems problems;
  const auto spec = DatasetSpec::read(*section, {"dataset"}, problems);
  problems.throw_if_any();
  const std::shared_ptr<Dataset> dataset = spec.make();
  std::vector<TableRow> rows = {{"field", "type", "shape", "unit", "meaning"}};
  for (const Field& field : dataset->fields()) {
    rows.push_back({field.name, std::string(name_of(field.dtype)), field.shape.str(), field.unit, field.meaning});
  }
  fmt::print("dataset '{}': {} training and {} test objects\n\n{}", spec.plugin, dataset->size(Split::train),
             dataset->size(Split::test), format_table(rows));
}

int describe(const Values& values) {
  const bool as_markdown = values.has("markdown");
  const std::string name = values.text("plugin");
  if (name == "experiment") {
    print_experiment(as_markdown);
  } else if (name.ends_with(".toml")) {
    print_fields(name);
  } else if (!name.empty()) {
    const auto plugins = find_all(name);
    for (const auto& plugin : plugins) {
      if (!as_markdown && &plugin != &plugins.front()) fmt::print("\n");
      as_markdown ? print_markdown_plugin(plugin) : print_plugin(plugin);
    }
  } else if (as_markdown) {
    print_markdown_plugins();
  } else {
    throw UsageError("missing argument: PLUGIN");
  }
  return 0;
}

}  // namespace

Verb describe_verb() {
  return {
      .name = "describe",
      .usages = {"PLUGIN [--markdown]", "experiment [--markdown]", "FILE.toml", "--markdown"},
      .meaning = "print the parameters of a plugin or of the experiment file",
      .description =
          "Prints type, default, range and meaning of every parameter of a plugin, of every key of the experiment "
          "file, or, with --markdown alone, of every parameter of every plugin. Of an experiment file, prints the "
          "fields of its dataset with their units: measurements, and labels (of shape []), which losses, tasks and "
          "floors can use. A simulated survey is simulated first.",
      .positionals = {Argument("plugin", "PLUGIN", "name of a plugin, \"experiment\", or an experiment file")
                          .completed_by(Completes::plugin)},
      .options = {Argument("markdown", "", "print Markdown")},
      .examples = {{"astroclip describe clip", "prints the parameters of the loss clip"},
                   {"astroclip describe experiment", "prints the keys of an experiment file"},
                   {"astroclip describe experiments/quickstart.toml", "prints the fields and labels of its dataset"}},
      .run = describe};
}

}  // namespace astroclip::app
