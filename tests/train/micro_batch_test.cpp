// A step in parts gives the gradients of the whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "data/holdout.h"
#include "plugin/host.h"
#include "support/small_experiment.h"
#include "tensor/memory.h"
#include "train/stage_parameters.h"
#include "train/step_context.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::Small;
using testing_support::small_experiment;

/// A stage with its first batches in hand.
class Batches {
 public:
  explicit Batches(const Small& small)
      : experiment_(small_experiment(small)),
        dataset_(experiment_.dataset.make()),
        model_(testing_support::model_of(experiment_)),
        setup_({experiment_, 0}, model_) {
    data::LoaderOptions options;
    options.batch = small.batch;
    options.steps = small.steps;
    data::Loader loader(*dataset_, data::rows_with(*dataset_, Split::train, {}), setup_.views(), setup_.loss().labels(),
                        options);
    for (int64_t i = 0; i < small.steps; ++i) batches_.push_back(loader.next());
  }

  double loss(size_t batch) {
    StepContext context(setup_, none_, batches_.at(batch), 0, Mode::training);
    return setup_.loss().forward(context).total.item();
  }
  void add_gradients(size_t batch, double share) {
    StepContext context(setup_, none_, batches_.at(batch), 0, Mode::training);
    context.backward(setup_.loss().forward(context).total, share);
  }
  std::vector<NamedTensor> parameters() const { return stage_parameters(experiment_.stages[0], model_, setup_.loss()); }

 private:
  Experiment experiment_;
  std::shared_ptr<Dataset> dataset_;
  Model model_;
  StageSetup setup_;
  const FrozenViews none_;
  std::vector<data::Batch> batches_;
};

std::vector<double> gradient_of(const NamedTensor& entry) {
  if (entry.tensor.grad().defined()) return entry.tensor.grad().to_doubles();
  return std::vector<double>(static_cast<size_t>(entry.tensor.numel()), 0.0);
}

/// Compares gradients in proportion to the largest of their tensor; float64, so only rounding may differ.
void expect_same_gradients(const std::vector<NamedTensor>& found, const std::vector<NamedTensor>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  double all = 0.0;
  for (size_t i = 0; i < found.size(); ++i) {
    const std::vector<double> a = gradient_of(found[i]), b = gradient_of(expected[i]);
    double largest = 0.0, apart = 0.0;
    for (size_t k = 0; k < a.size(); ++k) {
      largest = std::max(largest, std::abs(b[k]));
      apart = std::max(apart, std::abs(a[k] - b[k]));
    }
    EXPECT_LE(apart, 1e-9 * largest + 1e-13) << expected[i].name;
    all += largest;
  }
  EXPECT_GT(all, 0.0);
}

Small on_reference(const std::string& loss, const std::string& stage = "") {
  return {.loss = loss, .stage = stage, .device = "reference", .batch = 5, .steps = 2, .dropout = 0.0};
}

/// A loss and its name.
class MicroBatches : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(MicroBatches, GiveTheGradientsOfTheWholeBatch) {
  const std::string loss = GetParam().second;
  Batches whole(on_reference(loss)), parts(on_reference(loss, "micro_batch = 2\n"));
  const double expected = whole.loss(0);
  EXPECT_NEAR(parts.loss(0), expected, 1e-12 * std::abs(expected));
  whole.add_gradients(1, 0.5);
  parts.add_gradients(1, 0.5);
  expect_same_gradients(parts.parameters(), whole.parameters());
}

INSTANTIATE_TEST_SUITE_P(Losses, MicroBatches,
                         testing::Values(std::pair("Clip", R"({ plugin = "clip" })"),
                                         std::pair("LearnedScale", R"({ plugin = "clip", learn_logit_scale = true })"),
                                         std::pair("Siglip", R"({ plugin = "siglip" })"),
                                         std::pair("Cwcl", R"({ plugin = "cwcl" })"),
                                         std::pair("Cyclip", R"({ plugin = "cyclip" })"),
                                         std::pair("HardNegatives", R"({ plugin = "hard_negatives" })"),
                                         std::pair("Vicreg", R"({ plugin = "vicreg", expander = [8] })"),
                                         std::pair("BarlowTwins", R"({ plugin = "barlow_twins" })"),
                                         std::pair("Supervised", R"({ plugin = "supervised" })")),
                         [](const auto& row) { return std::string(row.param.first); });

TEST(MicroBatch, AFrozenTowerTakesNoGradientAndTheOtherItsOwn) {
  const std::string freeze = "freeze = [\"spectrum\"]\n";
  const std::string loss = R"({ plugin = "clip" })";
  Batches whole(on_reference(loss, freeze)), parts(on_reference(loss, freeze + "micro_batch = 3\n"));
  whole.add_gradients(0, 1.0);
  parts.add_gradients(0, 1.0);
  expect_same_gradients(parts.parameters(), whole.parameters());
  for (const NamedTensor& entry : parts.parameters()) {
    EXPECT_TRUE(entry.trainable || !entry.tensor.grad().defined()) << entry.name;
  }
}

/// With dropout each part must drop the same units when it is encoded again: the gradient is the slope of the loss.
TEST(MicroBatch, PartsAreEncodedAgainWithTheSameDropout) {
  Small small = on_reference(R"({ plugin = "clip" })", "micro_batch = 2\n");
  small.dropout = 0.3;
  Batches stage(small);
  stage.add_gradients(0, 1.0);
  const double step = 1e-5;
  int compared = 0;
  for (const NamedTensor& entry : stage.parameters()) {
    if (!entry.name.ends_with("mlp.decoder.bias") && !entry.name.ends_with("qkv.weight")) continue;
    const double gradient = gradient_of(entry)[0];
    Tensor tensor = entry.tensor;
    double* value = tensor.mutable_data_as<double>();
    const double kept = *value;
    double slope = 0.0;
    for (const double sign : {1.0, -1.0}) {
      *tensor.mutable_data_as<double>() = kept + sign * step;
      slope += sign * stage.loss(0) / (2.0 * step);
    }
    *tensor.mutable_data_as<double>() = kept;
    EXPECT_NEAR(gradient, slope, 1e-6 * std::max(1.0, std::abs(slope))) << entry.name;
    ++compared;
  }
  EXPECT_GE(compared, 2);
}

TEST(MicroBatch, TakesLessMemory) {
  const auto peak = [](const std::string& stage) {
    const Experiment experiment =
        small_experiment({.loss = R"({ plugin = "clip" })", .stage = stage, .batch = 32, .steps = 2, .dim = 64});
    const auto dataset = experiment.dataset.make();
    Model model = testing_support::model_of(experiment);
    Trainer trainer({experiment, 0}, model, *dataset);
    const int64_t before = memory_of(experiment.run_device()).statistics().used_bytes;
    while (!trainer.finished()) trainer.step();
    return memory_of(experiment.run_device()).statistics().peak_used_bytes - before;
  };
  // The counter only grows: the frugal one goes first.
  const int64_t in_parts = peak("micro_batch = 4\n"), whole = peak("");
  EXPECT_LT(in_parts, whole / 2);
}

TEST(MicroBatch, ALossOfTokensIsRefused) {
  Small small = on_reference(R"({ plugin = "masked_spectrum", spans = 3, span_length = 4 })", "micro_batch = 2\n");
  small.encoders = R"(["spectrum"])";
  Batches stage(small);
  EXPECT_THAT([&] { stage.loss(0); },
              ThrowsMessage<Error>("[stages.stage] 'micro_batch' works for losses of whole embeddings, "
                                   "'masked_spectrum' works on tokens; 'accumulate' makes a step of several smaller "
                                   "batches"));
}

TEST(Accumulate, AStepHasTheMeanGradientOfItsBatches) {
  const std::string loss = R"({ plugin = "clip" })";
  Batches first(on_reference(loss)), second(on_reference(loss)), both(on_reference(loss));
  first.add_gradients(0, 1.0);
  second.add_gradients(1, 1.0);
  both.add_gradients(0, 0.5);
  both.add_gradients(1, 0.5);
  const auto a = first.parameters(), b = second.parameters(), c = both.parameters();
  for (size_t i = 0; i < c.size(); ++i) {
    const std::vector<double> one = gradient_of(a[i]), two = gradient_of(b[i]), mean = gradient_of(c[i]);
    for (size_t k = 0; k < mean.size(); ++k) {
      EXPECT_NEAR(mean[k], 0.5 * (one[k] + two[k]), 1e-12 * (std::abs(one[k]) + std::abs(two[k])) + 1e-15) << c[i].name;
    }
  }
}

/// Three steps of two batches see what six steps of one see, and report means over them.
TEST(Accumulate, EveryBatchIsSeenOnceAndReportedAsAMean) {
  const auto losses = [](const std::string& stage, int64_t steps) {
    const Experiment experiment = small_experiment({.loss = R"({ plugin = "clip" })",
                                                    .stage = stage + "optimizer = { lr = 1e-30, weight_decay = 0.0 }\n",
                                                    .device = "reference",
                                                    .batch = 5,
                                                    .steps = steps});
    const auto dataset = experiment.dataset.make();
    Model model = testing_support::model_of(experiment);
    Trainer trainer({experiment, 0}, model, *dataset);
    std::vector<double> all;
    while (!trainer.finished()) all.push_back(trainer.step().loss());
    return all;
  };
  const std::vector<double> six = losses("", 6), three = losses("accumulate = 2\n", 3);
  ASSERT_EQ(three.size(), 3U);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(three[i], 0.5 * (six[2 * i] + six[2 * i + 1]), 1e-12);
}

}  // namespace
}  // namespace astroclip::train
