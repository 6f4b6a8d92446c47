#include <fmt/format.h>
#include <fmt/ostream.h>

#include <boost/program_options.hpp>

#include "app/verbs.h"
#include "compare/run_listing.h"

namespace astroclip::app {

namespace options = boost::program_options;

int runs_command(std::span<const std::string> arguments) {
  options::options_description named("options");
  named.add_options()("help", "print this")("sweeps", "the runs of sweeps, too")("json", "all of it, for programs");
  options::options_description all;
  all.add(named).add_options()("folder", options::value<std::string>()->default_value("runs"));
  options::variables_map values;
  options::store(options::command_line_parser(std::vector<std::string>(arguments.begin(), arguments.end()))
                     .options(all)
                     .positional(options::positional_options_description().add("folder", 1))
                     .run(),
                 values);
  if (values.contains("help")) {
    fmt::print(
        "usage: astroclip runs [FOLDER] [--sweeps] [--json]\n\n"
        "Lists the runs and sweeps in FOLDER (default: runs), those that wrote last first: finished ones with what "
        "they\n"
        "measured, interrupted ones with the command that goes on, failed ones with the reason.\n\n{}",
        fmt::streamed(named));
    return 0;
  }
  const auto folder = values["folder"].as<std::string>();
  const auto listed = compare::list_runs(folder);
  if (values.contains("json")) {
    fmt::print("{}", compare::to_json(listed));
  } else if (listed.empty()) {
    fmt::print("{}: no runs\n", folder);
  } else {
    fmt::print("{}", compare::to_text(listed, values.contains("sweeps")));
  }
  return 0;
}

}  // namespace astroclip::app
