// What a stage's loss does not reach keeps its weights, bit for bit, and is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "record/checkpoint.h"
#include "support/small_experiment.h"
#include "train/stage_parameters.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::Small;
using testing_support::small_experiment;

/// What could move weights without a gradient: decay, averaging, accumulated and split batches.
const std::string everything = "ema = 0.9\naccumulate = 2\noptimizer = { weight_decay = 0.5, lr = 1e-2, warmup = 1 }\n";

std::map<std::string, std::vector<double>> values_of(const Model& model) {
  std::map<std::string, std::vector<double>> values;
  for (const NamedTensor& entry : model.state()) values[entry.name] = entry.tensor.to_doubles();
  return values;
}

/// A stage on the small experiment.
class Stage0 {
 public:
  explicit Stage0(const Small& small, const std::optional<record::Checkpoint>& from = std::nullopt)
      : experiment_(small_experiment(small)),
        dataset_(experiment_.dataset.make()),
        model(testing_support::model_of(experiment_)),
        before(values_of(model)),
        trainer({experiment_, 0}, model, *dataset_, from) {}

  void train() {
    while (!trainer.finished()) trainer.step();
    trainer.keep_weights_in_use();
  }
  /// Names of the model's tensors that training has changed.
  std::set<std::string> moved() const {
    std::set<std::string> names;
    for (const auto& [name, values] : values_of(model)) {
      if (values != before.at(name)) names.insert(name);
    }
    return names;
  }

 private:
  Experiment experiment_;
  std::shared_ptr<Dataset> dataset_;

 public:
  Model model;
  std::map<std::string, std::vector<double>> before;
  Trainer trainer;
};

TEST(Unreached, ATowerThatTheLossDoesNotUseKeepsItsWeights) {
  Stage0 stage({.loss = R"({ plugin = "supervised" })", .stage = everything, .steps = 6});
  stage.train();
  const std::set<std::string> moved = stage.moved();
  EXPECT_THAT(moved, testing::Contains("image_encoder.backbone.norm.weight"));
  EXPECT_THAT(moved, testing::Each(testing::StartsWith("image_encoder.")));
  EXPECT_THAT(stage.trainer.unreached(), ElementsAre("image.backbone.cls_token", "image.backbone.pos_embed",
                                                     "image.backbone.mask_token", "spectrum"));
}

TEST(Unreached, InMicroBatchesToo) {
  Stage0 stage({.loss = R"({ plugin = "supervised" })", .stage = everything + "micro_batch = 3\n", .steps = 3});
  stage.train();
  EXPECT_THAT(stage.moved(), testing::Each(testing::StartsWith("image_encoder.")));
  EXPECT_THAT(stage.trainer.unreached(), SizeIs(4));
}

TEST(Unreached, ClassTokenAndPositionsOfAnAlignmentWithoutThem) {
  Stage0 stage({.stage = everything, .steps = 4});
  stage.train();
  const std::set<std::string> still = {"image_encoder.backbone.cls_token", "image_encoder.backbone.pos_embed",
                                       "image_encoder.backbone.mask_token", "spectrum_encoder.backbone.head.weight",
                                       "spectrum_encoder.backbone.head.bias"};
  for (const auto& [name, values] : values_of(stage.model)) {
    EXPECT_EQ(values == stage.before.at(name), still.contains(name)) << name;
  }
}

TEST(Unreached, AHeadBesideMaskedModellingIsNotTrained) {
  Stage0 stage({.loss = R"({ plugin = "masked_spectrum", spans = 2, span_length = 5 })",
                .encoders = R"(["spectrum"])",
                .stage = everything,
                .steps = 3});
  stage.train();
  EXPECT_THAT(stage.trainer.unreached(), ElementsAre("spectrum.cross_attention", "spectrum.mlp"));
  EXPECT_THAT(stage.moved(), testing::Each(testing::StartsWith("spectrum_encoder.backbone.")));
}

TEST(Unreached, NothingIsNamedWhenAllIsReached) {
  Stage0 stage({.stage = "freeze = [\"image.backbone\", \"spectrum.backbone\"]\n", .steps = 1});
  stage.train();
  EXPECT_THAT(stage.trainer.unreached(), IsEmpty());
}

TEST(Unreached, AResumedStageKnowsWhatWasReachedBefore) {
  const Small small{.loss = R"({ plugin = "supervised" })", .stage = everything, .steps = 6};
  Stage0 whole(small), first(small);
  for (int step = 0; step < 2; ++step) first.trainer.step();
  const std::string path = testing_support::scratch("unreached.safetensors");
  record::write_checkpoint(path, first.trainer.position(), first.trainer.state());
  Stage0 resumed(small, record::Checkpoint{path, record::read_position(path)});
  EXPECT_EQ(resumed.trainer.unreached(), first.trainer.unreached());
  whole.train();
  resumed.train();
  EXPECT_EQ(values_of(resumed.model), values_of(whole.model));
}

}  // namespace
}  // namespace astroclip::train
