#include "run/run.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/verbs.h"
#include "base/error.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "sweep/folder.h"
#include "sweep/preview.h"
#include "sweep/sweep.h"

namespace astroclip::app {

namespace {

std::vector<std::string> assignments(const options::variables_map& values) {
  std::vector<std::string> set = texts_of(values, "set");
  if (values.contains("threads")) set.push_back(fmt::format("experiment.threads={}", values["threads"].as<int>()));
  if (values.contains("loader-threads")) {
    set.push_back(fmt::format("experiment.loader_threads={}", values["loader-threads"].as<int>()));
  }
  return set;
}

int finish(run::Outcome outcome) { return outcome == run::Outcome::finished ? 0 : interrupted_status; }

int finish(sweep::Outcome outcome) {
  if (outcome == sweep::Outcome::interrupted) return interrupted_status;
  return outcome == sweep::Outcome::finished ? 0 : 1;
}

int resume(const options::variables_map& values) {
  if (values.contains("file") || values.contains("output") || values.contains("set") || values.contains("dry-run")) {
    throw UsageError("--resume takes the folder of a run or of a sweep; its experiment and folder are settled");
  }
  const auto path = values["resume"].as<std::string>();
  if (sweep::SweepFolder::holds_sweep(path)) {
    const auto file = config::parse_file(sweep::SweepFolder(path).file(), assignments(values));
    return finish(sweep::run(sweep::read_plan(file), path));
  }
  const auto folder = record::RunFolder::open(path);
  const Experiment experiment = load_experiment(folder.resolved(), assignments(values));
  if (std::filesystem::exists(folder.report_json())) {
    fmt::print("{}: the run is finished; see {}\n", folder.path(), folder.report_text());
    return 0;
  }
  return finish(run::run(experiment, folder));
}

int start(const options::variables_map& values) {
  if (!values.contains("file")) throw UsageError("run needs an experiment file, or --resume RUN");
  const config::Table file = config::parse_file(values["file"].as<std::string>(), assignments(values));
  const auto output = values.contains("output") ? values["output"].as<std::string>() : std::string();
  if (values.contains("dry-run")) {
    const bool many = sweep::is_sweep(file);
    const sweep::Plan plan = many ? sweep::read_plan(file) : sweep::read_single(file);
    fmt::print("{}", sweep::preview(plan, many ? output : ""));
    return 0;
  }
  if (sweep::is_sweep(file)) {
    const sweep::Plan plan = sweep::read_plan(file);
    return finish(sweep::run(plan, output.empty() ? record::RunFolder::first_free(plan.name) : output));
  }
  const Experiment experiment = read_experiment(file);
  const auto folder = record::RunFolder::create(output, experiment.name, config::to_toml(experiment.resolved));
  try {
    return finish(run::run(experiment, folder));
  } catch (const Error&) {
    folder.remove_unless_begun();  // what was wrong can be mended, and the same command given again
    throw;
  }
}

}  // namespace

Verb run_verb() {
  Verb verb{
      "run",
      {"FILE [--set key=value]… [--output DIR]", "FILE --dry-run", "--resume RUN"},
      "run an experiment or a sweep, or go on with one",
      "Trains and measures what an experiment file says; every file of the run is in its folder. A file with a "
      "section [sweep] makes a run of each combination in a folder of its own below DIR. Stopped or killed, a run "
      "goes on with --resume, and ends with the same bits."};
  verb.positionals = {{"file", "FILE", "an experiment"}};
  verb.options.add_options()                                                                    //
      ("set", texts("key=value"), "path.to.key=value in place of the file's; may be repeated")  //
      ("output", text("DIR"), "the run's folder (default: runs/NAME-N)")                        //
      ("dry-run", "print the runs there would be and how long they would take")                 //
      ("resume", text("RUN"), "go on with the run or the sweep in this folder")                 //
      ("threads", options::value<int>()->value_name("N"), "compute threads")                    //
      ("loader-threads", options::value<int>()->value_name("N"), "threads that read ahead");
  verb.examples = {
      {"astroclip run experiments/quickstart.toml", "a first experiment, in runs/quickstart-1"},
      {"astroclip run experiments/quickstart.toml --set stages.alignment.loss.plugin=siglip --output runs/siglip",
       "the same with another loss"},
      {"astroclip run --resume runs/quickstart-1", "on from where it was stopped"},
      {"astroclip run experiments/losses.toml --dry-run", "the runs of a sweep, and how long they would take"}};
  verb.run = [](const options::variables_map& values) {
    return values.contains("resume") ? resume(values) : start(values);
  };
  return verb;
}

}  // namespace astroclip::app
