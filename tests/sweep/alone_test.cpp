// Whatever a sweep varies, each of its runs ends as the same run does by itself, bit for bit.
#include <gmock/gmock.h>

#include "config/toml.h"
#include "io/output/durable_file.h"
#include "run/run.h"
#include "support/experiment_text.h"
#include "support/scratch.h"
#include "sweep/sweep.h"

namespace astroclip::sweep {
namespace {

namespace fs = std::filesystem;
using testing_support::scratch;

/// Stages of every kind that runs may share: of one encoder, with weights that the tasks choose, with frozen backbones.
std::string experiment_file() {
  return R"([experiment]
seed = 3
validation = 0.25
threads = 1
[dataset]
plugin = "simulated_survey"
galaxies = 60
cache = ")" +
         scratch("cache") + R"("
)" + testing_support::small_towers +
         R"([[stages]]
name = "spectra"
encoders = ["spectrum"]
loss = { plugin = "masked_spectrum", spans = 2, span_length = 4 }
steps = 2
batch = 8
[[stages]]
name = "chosen"
encoders = ["spectrum"]
loss = { plugin = "supervised", labels = ["redshift"], encoder = "spectrum" }
steps = 12
batch = 16
optimizer = { lr = 3e-3 }
validation = { every = 2, tasks = 30, metric = "validation.R² spectrum knn", mode = "max" }
[[stages]]
name = "frozen"
loss = { plugin = "clip", augment = false }
freeze = ["image.backbone", "spectrum.backbone"]
steps = 1
batch = 16
[evaluation]
floors = ["untrained"]
[[tasks]]
plugin = "redshift"
probes = ["knn"]
k = 4
)";
}

/// Keys of every section, each with another value than the file's or the default.
const std::vector<std::string> changes = {"experiment.seed=4",
                                          "experiment.validation=0.4",
                                          "dataset.galaxies=70",
                                          "dataset.views.spectrum.relative_noise.level=0.5",
                                          "encoders.image.depth=2",
                                          "stages.spectra.steps=3",
                                          "stages.chosen.validation.keep=last",
                                          "stages.frozen.loss.plugin=siglip",
                                          "evaluation.embedding=pool",
                                          "evaluation.batch=7",
                                          "tasks.redshift.k=2",
                                          "tasks.redshift.bins=[0.1, 0.3]"};

Experiment with(const std::string& change) {
  config::Table file = config::parse_text(experiment_file(), "e.toml");
  if (!change.empty()) config::apply_override(file, change);
  return read_experiment(file);
}

std::vector<std::string> results(const std::string& folder) {
  std::vector<std::string> files;
  for (const std::string name : {"/model.safetensors", "/embeddings.h5", "/report.json", "/stages/spectra.safetensors",
                                 "/stages/chosen.safetensors", "/stages/frozen.safetensors"})
    files.push_back(folder + name);
  return files;
}

TEST(Sweep, EveryRunEndsAsItDoesByItselfWhateverIsVaried) {
  for (const config::FieldDescription& section : describe_experiment()) {
    EXPECT_TRUE(std::ranges::any_of(changes, [&](const auto& key) { return key.starts_with(section.name + "."); }))
        << "no key of [" << section.name << "] is varied";
  }
  Plan plan{"varied", "", 64, {}};
  plan.runs.push_back(make_run("as it is", with("")));
  for (const std::string& change : changes) plan.runs.push_back(make_run(change, with(change)));
  const std::string folder = scratch("varied"), alone = scratch("alone");
  ASSERT_EQ(run(plan, folder), Outcome::finished);
  size_t copied = 0;
  for (const PlannedRun& one : plan.runs) {
    const std::string in_sweep = folder + "/" + one.name;
    fs::remove_all(alone);
    const auto own = record::RunFolder::create(alone, "alone", config::to_toml(one.experiment.resolved()));
    ASSERT_EQ(run::run(one.experiment, own), run::Outcome::finished);
    for (size_t i = 0; i < results(alone).size(); ++i) {
      EXPECT_TRUE(io::read_text(results(alone)[i]) == io::read_text(results(in_sweep)[i])) << results(in_sweep)[i];
    }
    copied += io::read_text(in_sweep + "/log.txt").find("weights copied from") != std::string::npos ? 1 : 0;
  }
  EXPECT_GT(copied, changes.size() / 2);  // and runs do share
}

}  // namespace
}  // namespace astroclip::sweep
