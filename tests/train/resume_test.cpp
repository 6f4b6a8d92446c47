// A run that goes on from a checkpoint in its middle: teacher, centres, queue, schedules, order of the data, masks and
// crops are those of a run that was not interrupted, bit for bit, on each backend.
#include <gtest/gtest.h>

#include "config/toml.h"
#include "record/checkpoint.h"
#include "support/devices.h"
#include "support/experiment_text.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

struct Recipe {
  std::string name;
  Experiment (*experiment)(const std::string& device);
};

void PrintTo(const Recipe& recipe, std::ostream* out) { *out << recipe.name; }

/// Every rate moves, with a warm-up that outlasts the interruption.
const std::string schedules =
    "optimizer = { lr = 1e-2, warmup = 4, min_lr = 1e-4, weight_decay = 0.04, decay_scale_end = 10.0 }\n";

Experiment pretraining_with(const std::string& loss, const std::string& device) {
  const std::string text = testing_support::small_pretraining(
      {.loss = loss, .stage = "stochastic_depth = { rate = 0.2 }\n" + schedules, .device = device});
  return read_experiment(config::parse_text(text, "e.toml"));
}

const Recipe recipes[] = {
    {"Dinov2", [](const std::string& device) { return pretraining_with("", device); }},
    {"Dinov2Balanced",
     [](const std::string& device) {
       return pretraining_with(", centring = \"sinkhorn_knopp\", shared_head = false", device);
     }},
    {"Moco",
     [](const std::string& device) {
       return testing_support::small_experiment({.loss = R"({ plugin = "moco", queue = 8, groups = 4, width = 4 })",
                                                 .encoders = R"(["image"])",
                                                 .stage = schedules,
                                                 .device = device});
     }},
    {"MaskedSpectrum",
     [](const std::string& device) {
       return testing_support::small_experiment(
           {.loss = R"({ plugin = "masked_spectrum", spans = 3, span_length = 4, random = 0.1 })",
            .encoders = R"(["spectrum"])",
            .stage = schedules,
            .device = device});
     }},
};

struct RunOfRecipe {
  explicit RunOfRecipe(const Experiment& of)
      : experiment(of), dataset(experiment.dataset.make()), model(testing_support::model_of(experiment)) {}
  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
};

struct Computed {
  DeviceKind kind;
  Precision precision;
  std::string name() const { return testing_support::name_of(kind) + "_" + ::astroclip::name_of(precision); }
};

void PrintTo(const Computed& computed, std::ostream* out) { *out << computed.name(); }

class Resume : public testing::TestWithParam<std::tuple<Recipe, Computed>> {
 protected:
  Experiment experiment() const {
    Experiment made = std::get<0>(GetParam()).experiment(device_.str());
    made.precision = std::get<1>(GetParam()).precision;
    return made;
  }

 private:
  Device device_ = testing_support::present(std::get<1>(GetParam()).kind);
};

TEST_P(Resume, EndsBitForBitAsIfNothingHadBeen) {
  const std::string path = testing_support::scratch("middle.safetensors");
  RunOfRecipe whole(experiment()), rest(experiment());
  Trainer through({whole.experiment, 0}, whole.model, *whole.dataset);
  for (int step = 0; step < 3; ++step) through.step();
  record::write_checkpoint(path, through.position(), through.state());
  Trainer resumed({rest.experiment, 0}, rest.model, *rest.dataset,
                  record::Checkpoint{path, record::read_position(path)});
  while (!through.finished()) {
    const StepReport expected = through.step(), found = resumed.step();
    EXPECT_EQ(found.losses, expected.losses);
    EXPECT_EQ(found.learning_rate, expected.learning_rate);
  }
  EXPECT_TRUE(resumed.finished());
  const std::vector<NamedTensor> expected = through.state(), found = resumed.state();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].name, expected[i].name);
    EXPECT_EQ(found[i].tensor.to_doubles(), expected[i].tensor.to_doubles()) << found[i].name;
  }
}

/// The device is a step ahead of what the host knows of it.
TEST_P(Resume, GivesTheSameWhereTheHostReadsAStepLate) {
  RunOfRecipe at_once(experiment()), late(experiment());
  Trainer expected({at_once.experiment, 0}, at_once.model, *at_once.dataset);
  Trainer found({late.experiment, 0}, late.model, *late.dataset);
  std::vector<StepReport> reports;
  const auto take = [&](std::optional<StepReport> report) {
    if (report) reports.push_back(std::move(*report));
  };
  while (!found.finished()) {
    take(found.advance());
    EXPECT_EQ(std::ssize(reports), found.finished_steps() - 1);
  }
  take(found.settle());
  EXPECT_FALSE(found.settle());
  for (const StepReport& report : reports) {
    const StepReport step = expected.step();
    EXPECT_EQ(report.step, step.step);
    EXPECT_EQ(report.losses, step.losses);
    EXPECT_EQ(report.gradient_norm, step.gradient_norm);
    EXPECT_EQ(report.learning_rate, step.learning_rate);
  }
  EXPECT_TRUE(expected.finished());
  const std::vector<NamedTensor> own = expected.state(), other = found.state();
  for (size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(other[i].tensor.to_doubles(), own[i].tensor.to_doubles()) << own[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, Resume,
                         testing::Combine(testing::ValuesIn(recipes),
                                          testing::Values(Computed{DeviceKind::cpu, Precision::f32},
                                                          Computed{DeviceKind::cuda, Precision::f32},
                                                          Computed{DeviceKind::cuda, Precision::bf16})),
                         [](const auto& instance) {
                           return std::get<0>(instance.param).name + "_" + std::get<1>(instance.param).name();
                         });

}  // namespace
}  // namespace astroclip::train
