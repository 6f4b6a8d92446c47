// Which keys make a run of a sweep another run, and a stage's steps another cost.
#include "sweep/folder.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "config/toml.h"
#include "run/estimate.h"
#include "support/experiment_text.h"
#include "support/scratch.h"

namespace astroclip::sweep {
namespace {

Experiment with_assignments(const std::vector<std::string>& assignments) {
  config::Table file = config::parse_text(testing_support::plain_experiment, "e.toml");
  for (const std::string& assignment : assignments) config::apply_override(file, assignment);
  return read_experiment(file);
}

TEST(SweepFolder, GoesOnWithARunWhoseResultsWouldBeTheSame) {
  const SweepFolder folder(testing_support::scratch("sweep"));
  folder.open(make_run("first", with_assignments({})));
  for (const std::string key : {"experiment.name=y", "experiment.loader_threads=3",
                                "stages.alignment.checkpoint_every=7", "stages.alignment.keep_checkpoints=9"}) {
    EXPECT_EQ(folder.state(make_run("first", with_assignments({key}))), State::begun) << key;
  }
  for (const std::string key : {"experiment.seed=3", "stages.alignment.batch=7", "dataset.galaxies=20",
                                "evaluation.pca_components=7", "encoders.image.depth=12"}) {
    EXPECT_THROW((void)folder.state(make_run("first", with_assignments({key}))), Error) << key;
  }
}

TEST(CostKey, IsWhatAStepsTimeDependsOn) {
  const std::string base = run::cost_key({with_assignments({}), 0});
  for (const std::string key :
       {"experiment.seed=3", "experiment.name=y", "experiment.loader_threads=3", "stages.alignment.name=other",
        "stages.alignment.steps=7", "stages.alignment.optimizer.lr=0.5", "stages.alignment.checkpoint_every=7",
        "evaluation.batch=3"}) {
    EXPECT_EQ(run::cost_key({with_assignments({key}), 0}), base) << key;
  }
  for (const std::string key : {"stages.alignment.batch=7", "encoders.image.depth=12", "dataset.galaxies=20",
                                "experiment.threads=1", "stages.alignment.ema=0.9"}) {
    EXPECT_NE(run::cost_key({with_assignments({key}), 0}), base) << key;
  }
}

}  // namespace
}  // namespace astroclip::sweep
