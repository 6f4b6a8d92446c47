#include <fmt/format.h>
#include <fmt/ostream.h>

#include <boost/program_options.hpp>

#include "app/verbs.h"
#include "sweep/plan.h"
#include "train/experiment.h"

namespace astroclip::app {

namespace options = boost::program_options;

namespace {

int check_sweep(const std::string& path, const sweep::Plan& plan, bool resolved) {
  if (resolved) throw UsageError("--resolved prints one experiment; " + path + " is a sweep");
  fmt::print("{}: a sweep of {} runs: no problems\n", path, plan.runs.size());
  return 0;
}

}  // namespace

int check_command(std::span<const std::string> arguments) {
  options::options_description named("options");
  named.add_options()("help", "print this")("set", options::value<std::vector<std::string>>()->composing(),
                                            "path.to.key=value in place of the file's; may be repeated")(
      "resolved", "print the file with every default");
  options::options_description all;
  all.add(named).add_options()("file", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("file", 1))
                     .run(),
                 values);
  if (values.contains("help")) {
    fmt::print("usage: astroclip check FILE [--set key=value]… [--resolved]\n\n{}", fmt::streamed(named));
    return 0;
  }
  if (!values.contains("file")) throw UsageError("check needs an experiment file");
  const auto path = values["file"].as<std::string>();
  const auto set = values.contains("set") ? values["set"].as<std::vector<std::string>>() : std::vector<std::string>();
  const config::Table file = config::parse_file(path, set);
  if (sweep::is_sweep(file)) return check_sweep(path, sweep::read_plan(file), values.contains("resolved"));
  const train::Experiment experiment = train::read_experiment(file);
  if (values.contains("resolved")) {
    fmt::print("{}", config::to_toml(experiment.resolved));
  } else {
    fmt::print("{}: {} encoders, {} stages, {} tasks: no problems\n", path, experiment.encoders.size(),
               experiment.stages.size(), experiment.tasks.size());
  }
  return 0;
}

}  // namespace astroclip::app
