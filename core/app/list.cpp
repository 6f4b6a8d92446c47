#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <optional>

#include "app/kinds.h"
#include "app/verbs.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

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

int list_command(std::span<const std::string> arguments) {
  options::options_description all;
  all.add_options()("help", "print this")("kind", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("kind", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    fmt::print(
        "usage: astroclip list [KIND]\n\n"
        "Lists the plugins that are found; KIND is encoders, losses, datasets or tasks.\n");
    return 0;
  }
  std::optional<plugin::Kind> wanted;
  if (values.count("kind") > 0) wanted = kind_of(values["kind"].as<std::string>());

  const auto plugins = plugin::Host::instance().list();
  size_t width = 0;
  for (const auto& one : plugins)
    if (one.problem.empty()) width = std::max(width, one.name.size());
  for (const plugin::Kind kind : plugin::all_kinds)
    if (!wanted || *wanted == kind) print_kind(kind, plugins, width);
  print_unusable(wanted, plugins);
  return 0;
}

}  // namespace astroclip::app
