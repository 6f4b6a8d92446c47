// Runs that differ in nothing but seeds and in what cannot change a result have one configuration.
#include "compare/measured_run.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "config/toml.h"
#include "experiment/experiment.h"
#include "io/output/durable_file.h"
#include "support/experiment_text.h"
#include "support/scratch.h"

namespace astroclip::compare {
namespace {

/// A finished run with some keys set.
MeasuredRun run_with(const std::string& name, const std::string& assignment) {
  config::Table file = config::parse_text(testing_support::plain_experiment, "e.toml");
  config::apply_override(file, assignment);
  const std::string folder = testing_support::scratch(name);
  std::filesystem::create_directories(folder);
  io::write_text(folder + "/resolved.toml", config::to_toml(read_experiment(file).resolved()));
  io::write_text(folder + "/report.json", "[]");
  io::write_text(folder + "/provenance.toml", "dataset = { labels = \"" + name + "\" }\n");
  size_t left_out = 0;
  return read_runs({folder}, left_out).at(0);
}

TEST(MeasuredRun, AConfigurationIsWhatResultsDependOnButTheSeed) {
  const MeasuredRun base = run_with("base", "experiment.seed=0");
  const MeasuredRun seeded = run_with("seeded", "experiment.seed=5");
  EXPECT_EQ(seeded.seed, 5);
  EXPECT_EQ(seeded.configuration, base.configuration);
  for (const std::string key : {"experiment.name=y", "experiment.loader_threads=3",
                                "stages.alignment.checkpoint_every=7", "stages.alignment.keep_checkpoints=9"}) {
    EXPECT_EQ(run_with("harmless", key).configuration, base.configuration) << key;
  }
  for (const std::string key : {"stages.alignment.batch=7", "evaluation.pca_components=7", "experiment.threads=1"}) {
    EXPECT_NE(run_with("telling", key).configuration, base.configuration) << key;
  }
}

TEST(MeasuredRun, KnowsWhatItWasMadeOf) {
  const MeasuredRun a = run_with("a", "experiment.seed=0"), b = run_with("b", "experiment.seed=1");
  EXPECT_THAT(differences(a.provenance, b.provenance), testing::ElementsAre("the dataset's labels"));
  EXPECT_THAT(differences(a.provenance, a.provenance), testing::IsEmpty());
}

}  // namespace
}  // namespace astroclip::compare
