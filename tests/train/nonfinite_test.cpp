// Steps in which something is not finite.
#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "ops/operators.h"
#include "record/checkpoint.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// The mean square of an embedding; in some steps a term that is added, or a gradient alone, is not finite. Counts the
/// batches that it has seen in a buffer.
class Failing final : public Loss {
 public:
  Failing(std::set<int64_t> bad_terms, std::set<int64_t> bad_gradients)
      : bad_terms_(std::move(bad_terms)), bad_gradients_(std::move(bad_gradients)) {}

  std::vector<ViewRequest> views(const LossSetup&) const override {
    return {{.name = "image", .tower = "image", .augment = true}};
  }
  void attach(LossSetup&) override { buffer("seen", seen_, {1}, nn::Init::zeros()); }
  LossValue forward(LossContext& context) override {
    const Tensor embedding = context.embed("image");
    const Tensor square = ops::mean(ops::square(embedding));
    const float bad = bad_terms_.contains(context.step()) ? NAN : 0.0F;
    const Tensor other = context.upload(std::span(&bad, 1), {});
    if (training()) {
      seen_.copy_from(seen_ + 1.0);
      ++kept_;
    }
    Tensor total = square + other;
    // √0 has an infinite slope: of (x − x) its value is 0 and its gradient ∞ · 0.
    if (bad_gradients_.contains(context.step())) total = total + ops::sqrt(ops::sum(embedding - embedding));
    return {total, {{"square", square}, {"other", other}}};
  }
  void after_update(LossSetup&, int64_t, int64_t) override { used += kept_, kept_ = 0; }
  void after_skip() override { kept_ = 0; }

  int64_t used = 0;  ///< batches that reached an update

 private:
  std::set<int64_t> bad_terms_, bad_gradients_;
  Tensor seen_;
  int64_t kept_ = 0;
};

struct FailingStage {
  FailingStage(const std::string& stage, std::set<int64_t> bad_terms, std::set<int64_t> bad_gradients = {})
      : experiment(testing_support::small_experiment({.encoders = R"(["image"])", .stage = stage})),
        dataset(experiment.dataset.make()),
        model(testing_support::model_of(experiment)) {
    loss = std::make_shared<Failing>(std::move(bad_terms), std::move(bad_gradients));
    experiment.stages[0].loss.make = [this] { return loss; };
  }
  Trainer trainer(const std::optional<record::Checkpoint>& from = std::nullopt) {
    return {{experiment, 0}, model, *dataset, from};
  }

  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
  std::shared_ptr<Failing> loss;
};

std::map<std::string, std::vector<double>> tensors(const Trainer& trainer) {
  std::map<std::string, std::vector<double>> all;
  for (const NamedTensor& entry : trainer.state()) all[entry.name] = entry.tensor.to_doubles();
  return all;
}

constexpr const char* skip = "on_nonfinite = \"skip\"\n";

TEST(Nonfinite, EndsTheRunNamingTheTermByDefault) {
  FailingStage training("", {0});
  Trainer trainer = training.trainer();
  EXPECT_THAT([&] { trainer.step(); },
              ThrowsMessage<Error>("[stages.stage] step 1: the loss term 'other' is not finite; every weight and every "
                                   "view is finite; nothing was updated"));
}

TEST(Nonfinite, ALateReadingEndsTheRunWithTheSameWordsAndWeights) {
  for (const bool in_gradient : {false, true}) {
    const std::set<int64_t> bad = {1}, none;
    FailingStage training("", in_gradient ? none : bad, in_gradient ? bad : none), same("", none);
    Trainer trainer = training.trainer(), other = same.trainer();
    EXPECT_FALSE(trainer.advance());
    const StepReport first = other.step();
    EXPECT_EQ(trainer.advance()->losses, first.losses);
    const std::string of_term = "the loss term 'other' is not finite; every weight and every view is finite";
    EXPECT_THAT([&] { trainer.advance(); },
                ThrowsMessage<Error>(testing::AllOf(
                    testing::StartsWith("[stages.stage] step 2: "), testing::EndsWith("; nothing was updated"),
                    HasSubstr(in_gradient ? "the gradient of 'image_encoder." : of_term))));
    for (const NamedTensor& entry : training.model.state()) {
      const auto is_same = [&](const NamedTensor& one) { return one.name == entry.name; };
      const std::vector<NamedTensor> expected = same.model.state();
      EXPECT_EQ(entry.tensor.to_doubles(), std::ranges::find_if(expected, is_same)->tensor.to_doubles()) << entry.name;
    }
  }
}

TEST(Nonfinite, ASkippedStepLeavesNothingButItsNumber) {
  for (const bool in_gradient : {false, true}) {
    FailingStage training(skip, in_gradient ? std::set<int64_t>{} : std::set<int64_t>{2},
                          in_gradient ? std::set<int64_t>{2} : std::set<int64_t>{});
    Trainer trainer = training.trainer();
    trainer.step();
    trainer.step();
    const auto before = tensors(trainer);
    const StepReport report = trainer.step();
    EXPECT_THAT(report.skipped, HasSubstr(in_gradient ? "the gradient of 'image_encoder." : "the loss term 'other'"));
    EXPECT_EQ(report.step, 3);
    EXPECT_EQ(tensors(trainer), before);
    EXPECT_EQ(trainer.skipped(), 1);
    EXPECT_EQ(trainer.step().skipped, "");
    EXPECT_NE(tensors(trainer), before);
    EXPECT_EQ(tensors(trainer).at("loss.seen")[0], 3.0);
    EXPECT_EQ(training.loss->used, 3);
  }
}

TEST(Nonfinite, ThreeInARowEndTheRun) {
  FailingStage training(skip, {0, 1, 3, 4, 5});
  Trainer trainer = training.trainer();
  for (int step = 0; step < 5; ++step) trainer.step();
  EXPECT_EQ(trainer.skipped(), 4);
  EXPECT_THAT([&] { trainer.step(); },
              ThrowsMessage<Error>(testing::EndsWith("nothing was updated; it is the 3rd such step in a row")));
}

TEST(Nonfinite, AResumedRunKeepsTheCounts) {
  FailingStage training(skip, {0, 1, 2});
  Trainer first = training.trainer();
  first.step();
  first.step();
  const std::string path = testing_support::scratch("skipped.safetensors");
  record::write_checkpoint(path, first.position(), first.state());
  Trainer second = training.trainer(record::Checkpoint{path, record::read_position(path)});
  EXPECT_EQ(second.skipped(), 2);
  EXPECT_THAT([&] { second.step(); }, ThrowsMessage<Error>(HasSubstr("the 3rd such step in a row")));
}

}  // namespace
}  // namespace astroclip::train
