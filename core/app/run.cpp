#include "train/run.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <boost/program_options.hpp>
#include <filesystem>

#include "app/verbs.h"
#include "base/error.h"
#include "train/experiment.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;
constexpr int interrupted_status = 130;  // as a shell reports Ctrl-C

std::vector<std::string> assignments(const options::variables_map& values) {
  auto set = values.contains("set") ? values["set"].as<std::vector<std::string>>() : std::vector<std::string>();
  if (values.contains("threads")) set.push_back(fmt::format("experiment.threads={}", values["threads"].as<int>()));
  if (values.contains("loader-threads")) {
    set.push_back(fmt::format("experiment.loader_threads={}", values["loader-threads"].as<int>()));
  }
  return set;
}

int finish(train::Outcome outcome) { return outcome == train::Outcome::finished ? 0 : interrupted_status; }

int resume(const options::variables_map& values) {
  if (values.contains("file") || values.contains("output") || values.contains("set")) {
    throw UsageError("--resume takes a run folder; its experiment and folder are settled");
  }
  const auto folder = train::RunFolder::open(values["resume"].as<std::string>());
  const train::Experiment experiment = train::load_experiment(folder.resolved(), assignments(values));
  if (std::filesystem::exists(folder.report_json())) {
    fmt::print("{}: the run is finished; see {}\n", folder.path(), folder.report_text());
    return 0;
  }
  return finish(train::run(experiment, folder));
}

int start(const options::variables_map& values) {
  if (!values.contains("file")) throw UsageError("run needs an experiment file, or --resume RUN");
  const train::Experiment experiment = train::load_experiment(values["file"].as<std::string>(), assignments(values));
  const auto output = values.contains("output") ? values["output"].as<std::string>() : std::string();
  const auto folder = train::RunFolder::create(output, experiment.name, config::to_toml(experiment.resolved));
  return finish(train::run(experiment, folder));
}

}  // namespace

int run_command(std::span<const std::string> arguments) {
  options::options_description named("options");
  named.add_options()("help", "print this")("set", options::value<std::vector<std::string>>()->composing(),
                                            "path.to.key=value in place of the file's; may be repeated")(
      "output", options::value<std::string>(), "the run's folder (default: runs/NAME-N)")(
      "resume", options::value<std::string>(), "go on with the run in this folder")(
      "threads", options::value<int>(), "compute threads")("loader-threads", options::value<int>(),
                                                           "threads that read ahead");
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
    fmt::print("usage: astroclip run FILE [--set key=value]… [--output DIR]\n       astroclip run --resume RUN\n\n{}",
               fmt::streamed(named));
    return 0;
  }
  return values.contains("resume") ? resume(values) : start(values);
}

}  // namespace astroclip::app
