#include <fmt/format.h>

#include "app/verbs.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "model/model_file.h"
#include "run/checks.h"
#include "sweep/plan.h"

namespace astroclip::app {

namespace {

/// Constructs what the experiment names, which checks what no schema can.
void check_built(const Experiment& experiment) {
  Model model(experiment.encoders, experiment.run_device(), std::nullopt);
  run::check_stages(experiment, model, 0);
  for (const std::string& path : experiment.evaluation.models) (void)read_model_description(path);
}

int check_sweep(const std::string& path, const sweep::Plan& plan, bool resolved) {
  if (resolved) throw UsageError(fmt::format("--resolved prints a single experiment; {} is a sweep", path));
  for (const sweep::PlannedRun& run : plan.runs) {
    try {
      check_built(run.experiment);
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", run.name, error.what()));
    }
  }
  fmt::print("{}: a sweep of {} runs: no problems\n", path, plan.runs.size());
  return 0;
}

int check(const Values& values) {
  const std::string path = values.text("file");
  const config::Table file = config::parse_file(path, values.texts("set"));
  if (sweep::is_sweep(file)) return check_sweep(path, sweep::read_plan(file), values.has("resolved"));
  const Experiment experiment = read_experiment(file);
  check_built(experiment);
  if (values.has("resolved")) {
    fmt::print("{}", config::to_toml(experiment.resolved()));
  } else {
    fmt::print("{}: {} encoders, {} stages, {} tasks: no problems\n", path, experiment.encoders.size(),
               experiment.stages.size(), experiment.tasks.size());
  }
  return 0;
}

}  // namespace

Verb check_verb() {
  return {.name = "check",
          .usages = {"FILE [--set key=value]… [--resolved]"},
          .meaning = "check an experiment file without running it",
          .description =
              "Reports every mistake with its location and a suggestion, then constructs encoders and losses (without "
              "weights) to verify that they match each other and their weight files. The dataset is not opened; `run` "
              "tries every stage on a few objects before training starts.",
          .positionals = {Argument("file", "FILE", "experiment file").required().completed_by(Completes::experiment)},
          .options = {Argument("set", "key=value", "override a key of the file, such as experiment.seed=2").repeated(),
                      Argument("resolved", "", "print the file with every default filled in")},
          .examples = {{"astroclip check experiments/quickstart.toml", "reports all problems at once"},
                       {"astroclip check experiments/quickstart.toml --set experiment.seed=2 --resolved",
                        "prints every key with its value"}},
          .run = check};
}

}  // namespace astroclip::app
