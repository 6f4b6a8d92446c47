#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/kinds.h"
#include "app/verbs.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

void print_kind(plugin::Kind kind, const std::vector<plugin::Listing>& all, size_t width) {
  fmt::print("{}\n", plugin::kind_folder(kind));
  bool is_empty = true;
  for (const auto& one : all) {
    if (one.kind != kind || !one.problem.empty()) continue;
    is_empty = false;
    fmt::print("  {:{}}  {}\n", one.name, width, one.summary);
  }
  if (is_empty) fmt::print("  none\n");
}

/// The files that cannot be used and could be of the wanted kind.
void print_unusable(std::optional<plugin::Kind> wanted, const std::vector<plugin::Listing>& all) {
  bool is_first = true;
  for (const auto& one : all) {
    if (one.problem.empty() || (wanted && one.kind && one.kind != wanted)) continue;
    if (is_first) fmt::print("cannot be used\n");
    is_first = false;
    fmt::print("  {} {}\n", one.file.string(), one.problem);
  }
}

}  // namespace

Verb list_verb() {
  Verb verb{"list",
            {"[KIND]"},
            "list encoders, losses, datasets and tasks",
            "Lists the plugins that are found, and the files that cannot be used as one, with the reason."};
  verb.positionals = {{"kind", "KIND", "encoders, losses, datasets or tasks (default: all)"}};
  verb.examples = {{"astroclip list", "everything there is"},
                   {"astroclip list losses", "one kind"},
                   {"astroclip --plugins my_encoder/build list encoders", "with what you have built elsewhere"}};
  verb.run = [](const options::variables_map& values) {
    std::optional<plugin::Kind> wanted;
    if (values.contains("kind")) wanted = kind_of(values["kind"].as<std::string>());
    const auto plugins = plugin::Host::instance().list();
    size_t width = 0;
    for (const auto& one : plugins)
      if (one.problem.empty()) width = std::max(width, one.name.size());
    for (const plugin::Kind kind : plugin::all_kinds)
      if (!wanted || *wanted == kind) print_kind(kind, plugins, width);
    print_unusable(wanted, plugins);
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
