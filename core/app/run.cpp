#include "run/run.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/verbs.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "record/console.h"
#include "sweep/dry_run.h"
#include "sweep/folder.h"
#include "sweep/sweep.h"

namespace astroclip::app {

namespace {

/// The file with the keys that the command line overrides.
config::Table read(const std::string& path, const Values& values) {
  config::Table file = parse_experiment(path, values.texts("set"));
  const auto assign = [&](const std::string& option, const std::string& key) {
    const config::Location place{"--" + option};
    if (values.has(option)) config::assign(file, key, {values.integer(option), place}, place, place.file);
  };
  assign("threads", "experiment.threads");
  assign("loader-threads", "experiment.loader_threads");
  return file;
}

int status_of(run::Outcome outcome) { return outcome == run::Outcome::finished ? 0 : interrupted_status; }

int status_of(sweep::Outcome outcome) {
  if (outcome == sweep::Outcome::interrupted) return interrupted_status;
  return outcome == sweep::Outcome::finished ? 0 : 1;
}

Rebuilt rebuilt(const Values& values) { return values.has("accept-rebuilt") ? Rebuilt::accept : Rebuilt::refuse; }

int resume(const Values& values) {
  for (const char* other : {"set", "output", "dry-run"}) {
    if (values.has(other)) throw UsageError(fmt::format("--resume cannot be combined with --{}", other));
  }
  if (values.has("file")) throw UsageError("--resume cannot be combined with an experiment file");
  const std::string path = values.text("resume");
  if (sweep::SweepFolder::holds_sweep(path)) {
    const sweep::Plan plan = sweep::read_plan(read(sweep::SweepFolder(path).file(), values));
    return status_of(sweep::run(plan, path, rebuilt(values)));
  }
  const auto folder = record::RunFolder::open(path);
  (void)load_resolved(folder.resolved());
  const Experiment experiment = read_experiment(read(folder.resolved(), values));
  if (std::filesystem::exists(folder.report_json())) {
    fmt::print("{}: the run is already finished; its results are in {}\n", folder.path(), folder.report_text());
    record::Console console;
    run::complete_page(folder, console);
    return 0;
  }
  return status_of(run::run(experiment, folder, {}, rebuilt(values)));
}

int start(const Values& values) {
  if (!values.has("file")) throw UsageError("missing argument: FILE, or --resume RUN");
  config::Table file = read(values.text("file"), values);
  const std::string output = values.text("output");
  if (sweep::SweepFolder::holds_sweep(output)) sweep::keep_precision(file, sweep::SweepFolder(output).file());
  if (values.has("dry-run")) {
    const bool many = sweep::is_sweep(file);
    const sweep::Plan plan = many ? sweep::read_plan(file) : sweep::read_single(file);
    fmt::print("{}", sweep::dry_run(plan, many ? output : ""));
    return 0;
  }
  if (sweep::is_sweep(file)) {
    const sweep::Plan plan = sweep::read_plan(file);
    const std::string folder = output.empty() ? record::RunFolder::first_free(plan.name) : output;
    return status_of(sweep::run(plan, folder, rebuilt(values)));
  }
  const Experiment experiment = read_experiment(file);
  const auto folder = record::RunFolder::create(output, experiment.name, config::to_toml(experiment.resolved()));
  try {
    return status_of(run::run(experiment, folder));
  } catch (const Error&) {
    folder.remove_unless_begun();  // so that the same command works once the error is mended
    throw;
  }
}

}  // namespace

Verb run_verb() {
  return {
      .name = "run",
      .usages = {"FILE [--set key=value]… [--output DIR]", "FILE --dry-run", "--resume RUN [--accept-rebuilt]"},
      .meaning = "train and evaluate an experiment or a sweep, or resume one",
      .description =
          "Trains and evaluates the experiment in FILE and writes everything to one folder. If the file has a section "
          "[sweep], each combination is a run in a folder of its own inside DIR. An interrupted run continues with "
          "--resume, and its results are bitwise those of an uninterrupted run. A run whose dataset, astroclip or "
          "plugins have changed since is not resumed.",
      .positionals = {Argument("file", "FILE", "experiment file").completed_by(Completes::experiment)},
      .options = {Argument("set", "key=value", "override a key of the file, such as experiment.seed=2").repeated(),
                  Argument("output", "DIR", "folder of the run or sweep (default: runs/NAME-N)")
                      .completed_by(Completes::folder),
                  Argument("dry-run", "", "list the runs and estimate their duration, without running them"),
                  Argument("resume", "RUN", "folder of an interrupted run or sweep").completed_by(Completes::folder),
                  Argument(
                      "accept-rebuilt", "",
                      "resume although astroclip or plugins were rebuilt since; the run's provenance.toml notes it"),
                  Argument("threads", "N", "compute threads; overrides experiment.threads"),
                  Argument("loader-threads", "N", "threads that read ahead; overrides experiment.loader_threads")},
      .examples = {{"astroclip run experiments/quickstart.toml", "runs a first experiment in runs/quickstart-1"},
                   {"astroclip run experiments/quickstart.toml --set stages.alignment.loss.plugin=siglip --output "
                    "runs/siglip",
                    "runs it with another loss"},
                   {"astroclip run --resume runs/quickstart-1", "resumes it after an interruption"},
                   {"astroclip run experiments/losses.toml --dry-run", "lists the runs of a sweep"}},
      .run = [](const Values& values) { return values.has("resume") ? resume(values) : start(values); }};
}

}  // namespace astroclip::app
