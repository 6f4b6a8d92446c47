// Training takes its memory in its first steps and then lives on it.
#include "tensor/memory.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "support/devices.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

struct StorageCase {
  std::string name, loss, encoders;
  std::string stage = {};    ///< further lines
  bool draws_sizes = false;  ///< a step masks as many patches as it draws
};

void PrintTo(const StorageCase& row, std::ostream* out) { *out << row.name; }

class Storage : public testing::TestWithParam<std::tuple<StorageCase, DeviceKind>> {
 protected:
  Device device_ = testing_support::present(std::get<1>(GetParam()));
};

TEST_P(Storage, NoneIsNewAfterTheThirdStep) {
  const StorageCase& row = std::get<0>(GetParam());
  const Experiment experiment =
      testing_support::small_experiment({.loss = row.loss,
                                         .encoders = row.encoders,
                                         .stage = "optimizer = { max_grad_norm = 1.0 }\n" + row.stage,
                                         .device = device_.str()});
  const auto dataset = experiment.dataset.make();
  Model model = testing_support::model_of(experiment);
  Memory& memory = memory_of(device_);
  memory.trim();  // what earlier tests left in the cache would hide what a step takes
  const int64_t before = memory.statistics().fresh_allocations;
  Trainer trainer({experiment, 0}, model, *dataset);
  const auto step = [&] { (void)(trainer.reads_late() ? trainer.advance() : trainer.step()); };
  for (int i = 0; i < 3; ++i) step();
  const MemoryStatistics third = memory.statistics();
  EXPECT_GT(third.fresh_allocations, before);
  while (!trainer.finished()) {
    step();
    const MemoryStatistics now = memory.statistics();
    if (row.draws_sizes) {
      // More patches than at any step before need larger blocks, which are an eighth larger; and a weight is kept
      // packed where a step had enough rows for it.
      EXPECT_LE(now.reserved_bytes, third.reserved_bytes * 9 / 8) << "step " << trainer.finished_steps();
      EXPECT_LE(now.used_bytes, third.used_bytes * 9 / 8) << "step " << trainer.finished_steps();
    } else {
      EXPECT_EQ(now.fresh_allocations, third.fresh_allocations) << "step " << trainer.finished_steps();
      EXPECT_EQ(now.used_bytes, third.used_bytes) << "step " << trainer.finished_steps();
    }
  }
  (void)trainer.settle();
}

const StorageCase storage_cases[] = {
    {"MaskedSpectrum", R"({ plugin = "masked_spectrum", spans = 3, span_length = 4 })", R"(["spectrum"])",
     "ema = 0.9\naccumulate = 2\n"},
    {"Clip", R"({ plugin = "clip" })", R"(["image", "spectrum"])", "ema = 0.9\n"},
    {"MicroBatches", R"({ plugin = "clip", learn_logit_scale = true })", R"(["image", "spectrum"])",
     "ema = 0.9\nmicro_batch = 3\n"},
    {"Siglip", R"({ plugin = "siglip" })", R"(["image", "spectrum"])", "ema = 0.9\n"},
    {"Dinov2", R"({ plugin = "dinov2", local_crops = 2, prototypes = 512, ibot_weight = 0.0 })", R"(["image"])"},
    {.name = "Dinov2WithMasks",
     .loss = R"({ plugin = "dinov2", local_crops = 2, prototypes = 512 })",
     .encoders = R"(["image"])",
     .draws_sizes = true},
    {"Moco", R"({ plugin = "moco", queue = 64 })", R"(["image"])"},
};

INSTANTIATE_TEST_SUITE_P(Losses, Storage,
                         testing::Combine(testing::ValuesIn(storage_cases), testing_support::each_fast_backend()),
                         [](const auto& instance) {
                           return std::get<0>(instance.param).name + "_" +
                                  testing_support::name_of(std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace astroclip::train
