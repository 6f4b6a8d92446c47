#include <fmt/format.h>

#include <set>

#include "app/verbs.h"
#include "backend/devices.h"
#include "config/toml.h"
#include "data/labels.h"
#include "evaluate/evaluation.h"
#include "evaluate/overlap.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "model/model_file.h"
#include "run/checks.h"
#include "sweep/plan.h"

namespace astroclip::app {

namespace {

/// Why this machine cannot run the experiment, as a line; "" if it has the device.
std::string missing_device(const Experiment& experiment) {
  const std::string problem = device_problem(experiment.device);
  if (problem.empty()) return "";
  return fmt::format("[experiment] 'device' = \"{}\": a run needs that card, which this machine lacks: {}\n",
                     experiment.device, problem);
}

/// The experiment, on the processor where this machine lacks its device: what is checked is the same on each.
Experiment checkable(Experiment experiment) {
  if (!device_problem(experiment.device).empty()) experiment.device = Device::host().str();
  return experiment;
}

/// Constructs encoders and losses, to check what no schema can.
void check_built(const Experiment& experiment) {
  Model model(experiment.encoders, experiment.run_device(), std::nullopt);
  run::check_stages(experiment, model, 0);
  for (const std::string& path : experiment.evaluation.models) (void)read_model_description(path);
}

/// What the dataset says when it is opened, as a line or two.
std::string check_data(const Experiment& experiment) {
  const std::shared_ptr<const Dataset> dataset = experiment.dataset.make();
  evaluate::check_evaluation(experiment, *dataset);
  const std::string overlap = evaluate::describe_overlap(experiment, evaluate::in_both_splits(*dataset));
  std::string lines;
  for (const std::string& note : dataset->notes()) lines += note + "\n";
  return fmt::format("dataset {}: {} training and {} test objects\n{}{}", experiment.dataset.plugin,
                     dataset->size(Split::train), dataset->size(Split::test), lines,
                     overlap.empty() ? "" : overlap + "\n");
}

int check_sweep(const std::string& path, const sweep::Plan& plan, const Values& values) {
  if (values.has("resolved")) {
    throw UsageError(fmt::format("--resolved prints a single experiment; {} is a sweep", path));
  }
  std::set<std::string> notes;
  for (const sweep::PlannedRun& run : plan.runs) {
    try {
      const Experiment here = checkable(run.experiment);
      check_built(here);
      if (values.has("data")) notes.insert(check_data(here));
      notes.insert(missing_device(run.experiment));
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", run.name, error.what()));
    }
  }
  for (const std::string& lines : notes) fmt::print("{}", lines);
  fmt::print("{}: a sweep of {} runs: no problems\n", path, plan.runs.size());
  return 0;
}

int check(const Values& values) {
  const std::string path = values.text("file");
  const config::Table file = parse_experiment(path, values.texts("set"));
  if (sweep::is_sweep(file)) return check_sweep(path, sweep::read_plan(file), values);
  const Experiment experiment = read_experiment(file);
  const Experiment here = checkable(experiment);
  check_built(here);
  const std::string notes = (values.has("data") ? check_data(here) : "") + missing_device(experiment);
  if (values.has("resolved")) {
    fmt::print("{}", config::to_toml(experiment.resolved()));
  } else {
    fmt::print("{}{}: {} encoders, {} stages, {} tasks: no problems\n", notes, path, experiment.encoders.size(),
               experiment.stages.size(), experiment.tasks.size());
  }
  return 0;
}

}  // namespace

Verb check_verb() {
  return {
      .name = "check",
      .usages = {"FILE [--set key=value]… [--data] [--resolved]"},
      .meaning = "check an experiment file without running it",
      .description =
          "Reports every mistake with its location and a suggestion, then constructs encoders and losses (without "
          "weights) to verify that they match each other and their weight files. With --data, it also opens the "
          "dataset, looks for the labels that are read, and counts test objects that are training objects, too. "
          "Where the machine lacks the experiment's card, it says so and checks the rest. `run` does all of this, and "
          "tries every stage on a few objects, before training starts.",
      .positionals = {Argument("file", "FILE", "experiment file").required().completed_by(Completes::experiment)},
      .options = {Argument("set", "key=value", "override a key of the file, such as experiment.seed=2").repeated(),
                  Argument("data", "", "open the dataset, too"),
                  Argument("resolved", "", "print the file with every default filled in")},
      .examples = {{"astroclip check experiments/quickstart.toml", "reports all problems at once"},
                   {"astroclip check experiments/quickstart.toml --set experiment.seed=2 --resolved",
                    "prints every key with its value"}},
      .run = check};
}

}  // namespace astroclip::app
