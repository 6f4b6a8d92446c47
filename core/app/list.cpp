#include <fmt/format.h>

#include <algorithm>

#include "app/verbs.h"
#include "base/table.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

std::vector<std::string> folders() {
  std::vector<std::string> names;
  std::ranges::transform(plugin::all_kinds, std::back_inserter(names), plugin::kind_folder);
  return names;
}

/// The plugins of each kind, "" for all, under the kind's name; names are padded to the widest of all kinds.
std::string usable(const std::string& wanted, const std::vector<plugin::Listing>& all) {
  size_t width = 0;
  for (const auto& one : all)
    if (one.problem.empty()) width = std::max(width, one.name.size());
  std::string text;
  for (const plugin::Kind kind : plugin::all_kinds) {
    if (!wanted.empty() && wanted != plugin::kind_folder(kind)) continue;
    std::vector<TableRow> rows;
    for (const auto& one : all)
      if (one.kind == kind && one.problem.empty()) rows.push_back({fmt::format("{:{}}", one.name, width), one.summary});
    text += fmt::format("{}\n{}", plugin::kind_folder(kind), rows.empty() ? "  none\n" : format_table(rows));
  }
  return text;
}

/// The files that cannot be used and may be of the wanted kind.
std::string unusable(const std::string& wanted, const std::vector<plugin::Listing>& all) {
  std::string text;
  for (const auto& one : all) {
    if (one.problem.empty() || (!wanted.empty() && one.kind && wanted != plugin::kind_folder(*one.kind))) continue;
    text += fmt::format("{}  {} {}\n", text.empty() ? "cannot be used\n" : "", one.file.string(), one.problem);
  }
  return text;
}

}  // namespace

Verb list_verb() {
  return {
      .name = "list",
      .usages = {"[KIND]"},
      .meaning = "list encoders, losses, datasets and tasks",
      .description = "Lists the plugins found, and files in plugin folders that cannot be used, with the reason.",
      .positionals = {Argument("kind", "KIND", "encoders, losses, datasets or tasks (default: all)").one_of(folders())},
      .examples = {{"astroclip list", "lists all plugins"},
                   {"astroclip list losses", "lists one kind"},
                   {"astroclip --plugins my_encoder/build list encoders", "includes plugins built elsewhere"}},
      .run = [](const Values& values) {
        const auto plugins = plugin::Host::instance().list();
        fmt::print("{}{}", usable(values.text("kind"), plugins), unusable(values.text("kind"), plugins));
        return 0;
      }};
}

}  // namespace astroclip::app
