// Training takes its memory in its first steps and then lives on it.
#include "tensor/memory.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "plugin/host.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

class Storage : public testing::TestWithParam<std::tuple<std::string, std::string, std::string>> {};

TEST_P(Storage, NoneIsNewAfterTheThirdStep) {
  const auto [loss, encoders, extra] = GetParam();
  const Experiment experiment = testing_support::small_experiment(
      {.loss = loss, .encoders = encoders, .stage = "optimizer = { max_grad_norm = 1.0 }\n" + extra});
  const auto dataset = experiment.dataset.make();
  Model model = testing_support::model_of(experiment);
  const Memory& memory = memory_of(experiment.run_device());
  // What earlier tests left in the cache would hide what a step takes.
  memory_of(experiment.run_device()).trim();
  const int64_t before = memory.statistics().fresh_allocations;
  Trainer trainer({experiment, 0}, model, *dataset);
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
    testing::Values(std::tuple{R"({ plugin = "masked_spectrum", spans = 3, span_length = 4 })", R"(["spectrum"])",
                               "ema = 0.9\naccumulate = 2\n"},
                    std::tuple{R"({ plugin = "clip" })", R"(["image", "spectrum"])", "ema = 0.9\n"},
                    std::tuple{R"({ plugin = "clip", learn_logit_scale = true })", R"(["image", "spectrum"])",
                               "ema = 0.9\nmicro_batch = 3\n"},
                    std::tuple{R"({ plugin = "siglip" })", R"(["image", "spectrum"])", "ema = 0.9\n"},
                    std::tuple{R"({ plugin = "dinov2", local_crops = 2, prototypes = 512, ibot_weight = 0.0 })",
                               R"(["image"])", ""}));

}  // namespace
}  // namespace astroclip::train
