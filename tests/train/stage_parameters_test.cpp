#include "train/stage_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "support/small_experiment.h"
#include "train/stage_setup.h"

namespace astroclip::train {
namespace {

using testing::ThrowsMessage;
using testing_support::small_experiment;

/// Scales by parameter name for a stage with these lines.
std::map<std::string, optim::Scales> scales_with(const std::string& optimizer) {
  const Experiment experiment =
      small_experiment({.loss = R"({ plugin = "clip", learn_logit_scale = true })", .stage = optimizer});
  Model model = testing_support::model_of(experiment);
  const StageSetup setup({experiment, 0}, model);
  const auto parameters = stage_parameters(experiment.stages[0], model, setup.loss());
  const auto scales = optimizer_scales(experiment.stages[0], parameters);
  std::map<std::string, optim::Scales> by_name;
  for (size_t i = 0; i < parameters.size(); ++i) by_name[parameters[i].name] = scales[i];
  return by_name;
}

TEST(LayerDecay, DepthsAreThoseOfDinov2) {
  const auto scales = scales_with("optimizer = { layer_decay = 0.5 }\n");
  // Two blocks, hence 0.5^(3 − depth): embeddings 0, blocks 1 and 2, final norm and head 3.
  const std::map<std::string, double> expected = {{"loss.logit_scale.log", 1.0},
                                                  {"image_encoder.backbone.cls_token", 0.125},
                                                  {"image_encoder.backbone.pos_embed", 0.125},
                                                  {"image_encoder.backbone.mask_token", 0.125},
                                                  {"image_encoder.backbone.patch_embed.proj.weight", 0.125},
                                                  {"image_encoder.backbone.blocks.0.0.attn.qkv.weight", 0.25},
                                                  {"image_encoder.backbone.blocks.1.1.norm1.bias", 0.5},
                                                  {"image_encoder.backbone.norm.weight", 1.0},
                                                  {"image_encoder.cross_attention.query", 1.0},
                                                  {"spectrum_encoder.backbone.data_embed.weight", 0.125},
                                                  {"spectrum_encoder.backbone.position_embed.weight", 0.125},
                                                  {"spectrum_encoder.backbone.blocks.0.layernorm1.weight", 0.25},
                                                  {"spectrum_encoder.backbone.blocks.1.layernorm1.weight", 0.5},
                                                  {"spectrum_encoder.backbone.final_layernorm.weight", 1.0},
                                                  {"spectrum_encoder.mlp.decoder.bias", 1.0}};
  for (const auto& [name, scale] : expected) {
    ASSERT_TRUE(scales.contains(name)) << name;
    EXPECT_DOUBLE_EQ(scales.at(name).learning_rate, scale) << name;
    EXPECT_EQ(scales.at(name).weight_decay, 1.0) << name;
  }
}

TEST(ClipApart, NamesPartsByTheirParameters) {
  const auto scales = scales_with("optimizer = { clip_apart = [\"image.backbone.*\", \"loss.*\"] }\n");
  EXPECT_EQ(scales.at("image_encoder.backbone.norm.weight").part, 1U);
  EXPECT_EQ(scales.at("loss.logit_scale.log").part, 2U);
  EXPECT_EQ(scales.at("image_encoder.cross_attention.query").part, 0U);
  EXPECT_THAT(
      [] { (void)scales_with("optimizer = { clip_apart = [\"image.spine.*\"] }\n"); },
      ThrowsMessage<Error>(testing::HasSubstr("[stages.stage.optimizer.clip_apart] \"image.spine.*\" names no")));
}

/// Moments of batch norms that are frozen stay as they are.
TEST(TrainedMoments, AreThoseOfBatchNormsThatTrain) {
  const auto moments = [](const std::string& freeze) {
    const Experiment experiment = read_experiment(config::parse_text(R"([dataset]
plugin = "simulated_survey"
[encoders.image]
plugin = "resnet"
image = 32
dim = 8
blocks = [1]
[[stages]]
name = "stage"
loss = { plugin = "supervised" }
)" + freeze,
                                                                     "e.toml"));
    const Model model = testing_support::model_of(experiment);
    freeze_parts(experiment.stages[0], model);
    std::vector<std::string> names;
    for (const NamedTensor& entry : trained_moments(experiment.stages[0], model)) names.push_back(entry.name);
    return names;
  };
  EXPECT_THAT(moments(""), testing::Contains("image_encoder.backbone.bn1.running_mean"));
  EXPECT_THAT(moments(""), testing::Contains("image_encoder.backbone.bn1.running_var"));
  EXPECT_THAT(moments("freeze = [\"image.backbone\"]"), testing::IsEmpty());
}

TEST(Groups, MatchNamesAsTheExperimentWritesThemAndMultiply) {
  const auto scales = scales_with(R"([[stages.optimizer.groups]]
match = "*.bias"
decay_scale = 0.0
[[stages.optimizer.groups]]
match = "image.*"
lr_scale = 0.5
decay_scale = 3.0
[[stages.optimizer.groups]]
match = "loss.logit_scale.*"
lr_scale = 10.0
)");
  const auto expect = [&](const std::string& name, double rate, double decay) {
    EXPECT_EQ(scales.at(name).learning_rate, rate) << name;
    EXPECT_EQ(scales.at(name).weight_decay, decay) << name;
  };
  expect("image_encoder.backbone.norm.bias", 0.5, 0.0);
  expect("image_encoder.backbone.norm.weight", 0.5, 3.0);
  expect("spectrum_encoder.backbone.final_layernorm.bias", 1.0, 0.0);
  expect("spectrum_encoder.backbone.final_layernorm.weight", 1.0, 1.0);
  expect("loss.logit_scale.log", 10.0, 1.0);
}

TEST(Groups, OneThatNamesNothingIsRefusedWithASuggestion) {
  EXPECT_THAT([] { scales_with("optimizer = { groups = [{ match = \"image.bakcbone.*\", lr_scale = 0.1 }] }\n"); },
              ThrowsMessage<Error>("[stages.stage.optimizer.groups] 'match' = \"image.bakcbone.*\" names no parameter; "
                                   "did you mean 'image.backbone.*'?"));
  EXPECT_THAT([] { scales_with("optimizer = { groups = [{ match = \"everything that there is in it\" }] }\n"); },
              ThrowsMessage<Error>("[stages.stage.optimizer.groups] 'match' = \"everything that there is in it\" names "
                                   "no parameter; they are called like 'loss.logit_scale.log'"));
}

TEST(Freeze, APartThatIsNotThereIsRefused) {
  const Experiment experiment = small_experiment({.stage = "freeze = [\"image.bakcbone\"]\n"});
  const Model model = testing_support::model_of(experiment);
  EXPECT_THAT([&] { freeze_parts(experiment.stages[0], model); },
              ThrowsMessage<Error>(
                  testing::HasSubstr("[stages.stage] freeze 'image.bakcbone': no parameter is named 'bakcbone'")));
}

}  // namespace
}  // namespace astroclip::train
