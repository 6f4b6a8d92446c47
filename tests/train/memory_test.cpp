// Training takes its memory in its first steps and then lives on it.
#include "tensor/memory.h"

#include <gtest/gtest.h>

#include "plugin/host.h"
#include "support/scratch.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

/// Two small towers with everything that takes memory in training: dropout, stochastic depth, heads, clipping.
Experiment experiment_with(const std::string& loss, const std::string& encoders) {
  const std::string text = R"([dataset]
plugin = "simulated_survey"
galaxies = 40
cache = ")" + testing_support::scratch("memory") +
                           R"("
[encoders.image]
plugin = "vit"
image = 24
dim = 16
depth = 2
heads = 2
chunks = 1
dropout = 0.1
drop_path = 0.2
head = { width = 16, heads = 2, dropout = 0.1 }
[encoders.spectrum]
plugin = "specformer"
window = 200
stride = 200
dim = 16
layers = 2
heads = 2
head = { width = 16, heads = 2, dropout = 0.1 }
[[stages]]
name = "stage"
encoders = )" + encoders + R"(
loss = )" + loss + R"(
batch = 8
steps = 9
optimizer = { clip = 1.0 }
)";
  return read_experiment(config::parse_text(text, "e.toml"));
}

class Storage : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Storage, NoneIsNewAfterTheThirdStep) {
  const auto [loss, encoders] = GetParam();
  const Experiment experiment = experiment_with(loss, encoders);
  const auto dataset = plugin::Host::instance().make_dataset(experiment.dataset.plugin, experiment.dataset.parameters);
  Model model(experiment);
  const Memory& memory = memory_of(experiment.run_device());
  // What earlier tests left in the cache would hide what a step takes.
  memory_of(experiment.run_device()).trim();
  const int64_t before = memory.statistics().fresh_allocations;
  Trainer trainer(experiment, 0, model, *dataset, 0);
  for (int i = 0; i < 3; ++i) trainer.step();
  const MemoryStatistics third = memory.statistics();
  EXPECT_GT(third.fresh_allocations, before);
  while (!trainer.finished()) {
    const StepReport report = trainer.step();
    const MemoryStatistics now = memory.statistics();
    EXPECT_EQ(now.fresh_allocations, third.fresh_allocations) << "step " << report.step;
    EXPECT_EQ(now.used_bytes, third.used_bytes) << "step " << report.step;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Losses, Storage,
    testing::Values(std::pair{R"({ plugin = "masked_spectrum", chunks = 3, width = 4 })", R"(["spectrum"])"},
                    std::pair{R"({ plugin = "clip" })", R"(["image", "spectrum"])"},
                    std::pair{R"({ plugin = "clip", learnable = true })", R"(["image", "spectrum"])"},
                    std::pair{R"({ plugin = "siglip" })", R"(["image", "spectrum"])"}));

}  // namespace
}  // namespace astroclip::train
