#include <fmt/format.h>

#include "app/verbs.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "model/model_file.h"
#include "run/rehearsal.h"
#include "sweep/plan.h"

namespace astroclip::app {

namespace {

/// What encoders and losses say of each other when they are built, and of the files that they are to start from.
void check_built(const Experiment& experiment) {
  Model model(experiment.encoders, experiment.run_device(), std::nullopt);
  run::check_stages(experiment, model, 0);
  for (const std::string& path : experiment.evaluation.models) (void)read_model_description(path);
}

int check_sweep(const std::string& path, const sweep::Plan& plan, bool resolved) {
  if (resolved) throw UsageError("--resolved prints one experiment; " + path + " is a sweep");
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

int check(const options::variables_map& values) {
  if (!values.contains("file")) throw UsageError("check needs an experiment file");
  const auto path = values["file"].as<std::string>();
  const config::Table file = config::parse_file(path, texts_of(values, "set"));
  if (sweep::is_sweep(file)) return check_sweep(path, sweep::read_plan(file), values.contains("resolved"));
  const Experiment experiment = read_experiment(file);
  check_built(experiment);
  if (values.contains("resolved")) {
    fmt::print("{}", config::to_toml(experiment.resolved));
  } else {
    fmt::print("{}: {} encoders, {} stages, {} tasks: no problems\n", path, experiment.encoders.size(),
               experiment.stages.size(), experiment.tasks.size());
  }
  return 0;
}

}  // namespace

Verb check_verb() {
  Verb verb{
      "check",
      {"FILE [--set key=value]… [--resolved]"},
      "check an experiment file and everything it names",
      "Finds every mistake in an experiment file at once, each with its place and what may have been meant, then "
      "builds encoders and losses, without weights, to see that they fit each other and the files that they start "
      "from. The dataset is not opened: run does that, and takes a few objects through every stage, before "
      "anything trains."};
  verb.positionals = {{"file", "FILE", "an experiment"}};
  verb.options.add_options()("set", texts("key=value"), "path.to.key=value in place of the file's; may be repeated")(
      "resolved", "print the file with every default");
  verb.examples = {{"astroclip check experiments/quickstart.toml", "no problems, or all of them"},
                   {"astroclip check experiments/quickstart.toml --set experiment.seed=2 --resolved",
                    "every key there is, with its value"}};
  verb.run = check;
  return verb;
}

}  // namespace astroclip::app
