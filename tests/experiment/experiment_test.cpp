// What an experiment file can get wrong, word for word.
#include "experiment/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/stage_key.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip {
namespace {

const std::string sound = R"([experiment]
name = "x"
[dataset]
plugin = "simulated_survey"
galaxies = 100
[encoders.image]
plugin = "vit"
[encoders.spectrum]
plugin = "specformer"
[[stages]]
name = "pretraining"
encoders = ["spectrum"]
loss = { plugin = "masked_spectrum" }
[[stages]]
name = "alignment"
loss = { plugin = "clip" }
freeze = ["spectrum.backbone"]
init = { spectrum = "pretraining" }
[[tasks]]
plugin = "redshift"
)";

std::string replaced(const std::string& what, const std::string& with) {
  std::string text = sound;
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

std::string message_of(const std::string& text) {
  try {
    (void)read_experiment(config::parse_text(text, "e.toml"));
  } catch (const Error& error) {
    return error.what();
  }
  return "no problems";
}

TEST(Experiment, ReadsStagesWithTheirDefaults) {
  const Experiment experiment = read_experiment(config::parse_text(sound, "e.toml"));
  ASSERT_EQ(experiment.stages.size(), 2U);
  EXPECT_EQ(experiment.stages[1].encoders, (std::vector<std::string>{"image", "spectrum"}));
  EXPECT_TRUE(experiment.stages[1].init.at(0).is_stage);
  EXPECT_EQ(experiment.stages[1].optimizer.betas, (std::vector<double>{0.9, 0.999}));
  EXPECT_EQ(experiment.tasks.at(0).plugin, "redshift");
}

TEST(Experiment, AutoPrecisionResolvesToWhatTheDeviceHas) {
  const std::string text = replaced("name = \"x\"", "name = \"x\"\ndevice = \"reference\"\nprecision = \"auto\"");
  const Experiment experiment = read_experiment(config::parse_text(text, "e.toml"));
  EXPECT_EQ(experiment.precision, Precision::f32);
  const config::Table resolved = experiment.resolved();
  const auto* general = resolved.find("experiment")->get_if<config::Table>();
  EXPECT_EQ(*general->find("precision")->get_if<std::string>(), "f32");
}

TEST(Experiment, TheResolvedFileResolvesToItself) {
  const Experiment first = read_experiment(config::parse_text(sound, "e.toml"));
  const std::string text = config::to_toml(first.resolved());
  EXPECT_EQ(config::to_toml(read_experiment(config::parse_text(text, "r.toml")).resolved()), text);
  EXPECT_THAT(text, testing::HasSubstr("logit_scale = 15.5"));
}

TEST(Experiment, UnknownKeysComeWithASuggestion) {
  EXPECT_EQ(
      message_of(replaced("galaxies = 100", "galaxis = 100")),
      "e.toml:5:1: error: [dataset] plugin 'simulated_survey' has no parameter 'galaxis'; did you mean 'galaxies'?");
  EXPECT_EQ(message_of(replaced("freeze =", "freez =")),
            "e.toml:17:1: error: [stages.alignment] unknown key 'freez'; did you mean 'freeze'?");
}

TEST(Experiment, WrongTypesAndRanges) {
  EXPECT_EQ(message_of(replaced("galaxies = 100", "galaxies = \"many\"")),
            "e.toml:5:12: error: [dataset] 'galaxies' must be an integer, found a string");
  EXPECT_EQ(message_of(replaced("galaxies = 100", "galaxies = 3")),
            "e.toml:5:12: error: [dataset] 'galaxies' = 3 is outside 10..10000000");
  EXPECT_EQ(message_of(replaced("name = \"x\"", "device = \"gpu\"")),
            "e.toml:2:10: error: [experiment] 'device' = \"gpu\" is not auto, cuda, cuda:N (card N), cpu or reference");
}

TEST(Experiment, FloorsMustBeKnown) {
  EXPECT_THAT(message_of(std::string(sound) + "[evaluation]\nfloors = [\"untraind\"]\n"),
              testing::HasSubstr("[evaluation] 'floors' names 'untraind', which is neither \"untrained\" nor \"pca\" "
                                 "nor one of 'label_floors'; did you mean 'untrained'?"));
}

Experiment with_views(const std::string& views) {
  return read_experiment(config::parse_text(replaced("[encoders.image]", views + "\n[encoders.image]"), "e.toml"));
}

TEST(Experiment, ViewsAreMadeByGroups) {
  const Experiment experiment = with_views("[dataset.views.spectrum]\nrelative_noise = { level = 0.5 }");
  EXPECT_EQ(experiment.dataset.view_group("spectrum").relative_noise.level, 0.5);
  EXPECT_EQ(experiment.dataset.view_group("image").crop.shift, 4);
  EXPECT_EQ(experiment.dataset.view_group("image").steps, (std::vector<std::string>{"crop", "flip_rotate"}));
  const config::Table file = experiment.resolved();
  const Experiment again = read_experiment(file);
  EXPECT_EQ(again.dataset.view_group("spectrum").relative_noise.level, 0.5);
  EXPECT_EQ(config::to_toml(again.resolved()), config::to_toml(file));
  EXPECT_THAT([&] { (void)experiment.dataset.view_group("global"); },
              testing::ThrowsMessage<Error>(testing::StartsWith("[dataset.views] there is no group 'global' (")));
}

TEST(Experiment, AGroupIsAsTheOneThatItIsLike) {
  const Experiment experiment = with_views(
      "[dataset.views.global_1]\nlike = \"global_1_released\"\nsize = 96\n[dataset.views.local]\nsteps = "
      "[\"flip_y\", \"noise\"]\nflip_y.probability = 1");
  const data::ViewGroup first = experiment.dataset.view_group("global_1"),
                        local = experiment.dataset.view_group("local");
  EXPECT_EQ(first.blur.probability, 0.0);
  EXPECT_EQ(first.size, 96);
  EXPECT_EQ(first.steps, experiment.dataset.view_group("global_2").steps);
  EXPECT_EQ(experiment.dataset.view_group("global_2").noise.probability, 0.1);
  EXPECT_EQ(local.size, 60);
  EXPECT_EQ(local.noise.probability, 0.5);
  EXPECT_EQ(local.flip_y.probability, 1.0);
}

TEST(Experiment, StepsAndOldKeysAreNamedWhereTheyAreWrong) {
  const auto message = [&](const std::string& views) {
    return message_of(replaced("[encoders.image]", views + "\n[encoders.image]"));
  };
  EXPECT_THAT(
      message("[dataset.views.image]\nsteps = [\"crop\", \"blurr\"]"),
      testing::StartsWith("e.toml:7:9: error: [dataset.views.image] 'steps' = [\"crop\", \"blurr\"] is not one of "
                          "\"crop\", \"flip_x\""));
  EXPECT_EQ(message("[dataset.views.image]\nsteps = [\"crop\", \"flip_x\", \"crop\"]"),
            "e.toml:6:1: error: [dataset.views.image] 'steps' names 'crop' twice");
  EXPECT_EQ(message("[dataset.views.image.blur]\nprobabilty = 0.5"),
            "e.toml:7:1: error: [dataset.views.image.blur] unknown key 'probabilty'; did you mean 'probability'?");
  EXPECT_EQ(message("[dataset.views]\nimage = 3"),
            "e.toml:7:9: error: [dataset.views] 'image' must be a table, found an integer");
  EXPECT_EQ(message("[augmentation.image]\nshift = 3"),
            "e.toml:6:2: error: 'augmentation' is now called 'dataset.views'");
}

TEST(Experiment, EncodersOfImagesHaveAsManyPlanesAsTheDatasetNamesBands) {
  const auto channels = [](const std::string& dataset, const std::string& encoder) {
    std::string text = replaced("galaxies = 100", "galaxies = 100\n" + dataset);
    const std::string place = "plugin = \"vit\"";
    text.replace(text.find(place), place.size(), place + "\n" + encoder);
    const Experiment experiment = read_experiment(config::parse_text(text, "e.toml"));
    return std::pair(experiment.encoder("image").plugin.make()->input_shape()[0],
                     *experiment.encoder("image").plugin.parameters.find("channels")->get_if<int64_t>());
  };
  EXPECT_EQ(channels("", ""), (std::pair<int64_t, int64_t>(3, 3)));
  EXPECT_EQ(channels("bands = \"griz\"", ""), (std::pair<int64_t, int64_t>(4, 4)));
  EXPECT_EQ(channels("bands = \"griz\"\nimage = { bands = \"zr\" }", ""), (std::pair<int64_t, int64_t>(2, 2)));
  EXPECT_EQ(channels("bands = \"griz\"", "channels = 5"), (std::pair<int64_t, int64_t>(5, 5)));
}

TEST(Experiment, NamesMustReferToSomething) {
  EXPECT_EQ(
      message_of(replaced("encoders = [\"spectrum\"]", "encoders = [\"spektrum\"]")),
      "e.toml:12:12: error: [stages.pretraining] there is no encoder 'spektrum' ('image', 'spectrum'); did you mean "
      "'spectrum'?");
  EXPECT_EQ(
      message_of(replaced("\"spectrum.backbone\"", "\"spectra.backbone\"")),
      "e.toml:17:10: error: [stages.alignment] freeze: 'spectra.backbone' names no encoder of the stage ('image', "
      "'spectrum'); did you mean 'spectrum'?");
  EXPECT_EQ(message_of(replaced("\nfreeze", "\nstochastic_depth = { rate = 0.1, encoders = ['spectra'] }\nfreeze")),
            "e.toml:17:20: error: [stages.alignment] stochastic_depth: the stage has no encoder 'spectra' ('image', "
            "'spectrum'); did you mean 'spectrum'?");
  EXPECT_EQ(
      message_of(replaced("\nfreeze", "\nrecompute = ['spectra']\nfreeze")),
      "e.toml:17:13: error: [stages.alignment] recompute: the stage has no encoder 'spectra' ('image', 'spectrum'); "
      "did you mean 'spectrum'?");
  EXPECT_EQ(
      message_of(replaced("spectrum = \"pretraining\"", "spectrum = \"pretrainin\"")),
      "e.toml:18:21: error: [stages.alignment] init: 'pretrainin' is neither an earlier stage nor a file; did you mean "
      "'pretraining'?");
  EXPECT_EQ(message_of(replaced("name = \"alignment\"", "name = \"pretraining\"")),
            "e.toml:15:8: error: [stages.pretraining] an earlier stage has this name");
}

TEST(Experiment, AMissingPluginIsNamedWithASuggestion) {
  EXPECT_THAT(message_of(replaced("\"vit\"", "\"vitt\"")),
              testing::MatchesRegex("e.toml:7:10: error: \\[encoders.image\\] .*'vitt'.*did you mean 'vit'\\?.*"));
  EXPECT_EQ(message_of(replaced("loss = { plugin = \"clip\" }", "loss = { scale = 1 }")),
            "e.toml:16:8: error: [stages.alignment.loss] lacks the required key 'plugin'");
}

TEST(Experiment, AValidationNeedsObjectsAndPatienceAValidation) {
  EXPECT_EQ(message_of(replaced("freeze =", "validation = { every = 10 }\nfreeze =")),
            "e.toml:17:14: error: [stages.alignment] 'validation' needs objects set apart: [experiment] validation = "
            "0.1, for one");
  EXPECT_EQ(message_of(replaced("freeze =", "validation = { patience = 3 }\nfreeze =")),
            "e.toml:17:14: error: [stages.alignment] without 'validation.every' there are no validations for "
            "'patience' or 'tasks'");
}

TEST(Experiment, GroupsOfParametersAreReadAndPrinted) {
  const std::string text = sound +
                           "[[stages]]\nname = \"third\"\nloss = { plugin = \"clip\" }\n"
                           "[[stages.optimizer.groups]]\nmatch = \"*.bias\"\ndecay_scale = 0\n";
  const Experiment first = read_experiment(config::parse_text(text, "e.toml"));
  const Experiment again = read_experiment(config::parse_text(config::to_toml(first.resolved()), "r.toml"));
  for (const Experiment& experiment : {first, again}) {
    const std::vector<GroupSpec>& groups = experiment.stages.at(2).optimizer.groups;
    ASSERT_EQ(groups.size(), 1U);
    EXPECT_EQ(groups[0].match, "*.bias");
    EXPECT_EQ(groups[0].decay_scale, 0.0);
    EXPECT_EQ(groups[0].lr_scale, 1.0);
  }
}

TEST(Experiment, AllProblemsComeTogetherInOrder) {
  std::string text = replaced("galaxies = 100", "galaxies = 3");
  text.replace(text.find("plugin = \"redshift\""), 19, "plugin = \"redshift\"\nk = -1");
  EXPECT_EQ(message_of(text),
            "e.toml:5:12: error: [dataset] 'galaxies' = 3 is outside 10..10000000\n"
            "e.toml:21:5: error: [tasks] 'k' = -1 is below 1");
}

TEST(Experiment, ALossMayTakeLosses) {
  const auto sum = [](const std::string& parameters) {
    return replaced(
        "loss = { plugin = \"clip\" }",
        "loss = { plugin = \"sum\", losses = [{ plugin = \"clip\" }, { plugin = \"siglip\"" + parameters + " }] }");
  };
  const Experiment experiment = read_experiment(config::parse_text(sum(""), "e.toml"));
  EXPECT_EQ(experiment.stages.at(1).loss.plugin, "sum");
  EXPECT_THAT(config::to_toml(experiment.resolved()), testing::HasSubstr("losses = [{ plugin = \"clip\", "));
  EXPECT_EQ(message_of(sum(", logit_biass = 1")),
            "e.toml:16:78: error: [stages.alignment.loss.losses] plugin 'siglip' has no parameter 'logit_biass'; "
            "did you mean 'logit_bias'?");
}

TEST(Experiment, RenamedKeysAreRefusedWithTheirNewNames) {
  EXPECT_EQ(message_of(replaced("freeze =", "optimizer = { clip = 1.0, floor = 0.0 }\nfreeze =")),
            "e.toml:17:15: error: [stages.alignment.optimizer] 'clip' is now called 'max_grad_norm'\n"
            "e.toml:17:27: error: [stages.alignment.optimizer] 'floor' is now called 'min_lr'");
}

TEST(Experiment, ANegativeSeedIsRefused) {
  EXPECT_EQ(message_of(replaced("name = \"x\"", "seed = -1")),
            "e.toml:2:8: error: [experiment] 'seed' = -1 is below 0");
}

TEST(Experiment, NeedsAnEncoder) {
  EXPECT_EQ(message_of("encoders = {}\n[dataset]\nplugin = \"simulated_survey\"\n"),
            "e.toml:1:12: error: 'encoders' is missing (table of plugins: the encoders by name, like "
            "[encoders.image])");
}

TEST(Experiment, AResolvedFileOfAnotherVersionIsRefusedInOneSentence) {
  const std::string path = testing_support::scratch("resolved") + ".toml";
  io::write_text(path, replaced("freeze =", "optimizer = { clip = 1.0, floor = 0.0 }\nfreeze ="));
  EXPECT_THAT(
      [&] { (void)load_resolved(path); },
      testing::ThrowsMessage<Error>(path + ":17:15: error: [stages.alignment.optimizer] 'clip' is now called "
                                           "'max_grad_norm' (the run was made by another version of astroclip, or "
                                           "with other plugins)"));
  std::filesystem::remove(path);
}

/// The experiment with some keys set.
Experiment with(const std::vector<std::string>& assignments) {
  config::Table file = config::parse_text(sound, "e.toml");
  for (const std::string& assignment : assignments) config::apply_override(file, assignment);
  return read_experiment(file);
}

/// Keys that cannot change a result, and some that can.
const std::vector<std::string> harmless = {
    "experiment.name=y", "experiment.loader_threads=3", "stages.pretraining.checkpoint_every=7",
    "stages.pretraining.recompute=[\"spectrum\"]", "stages.alignment.keep_checkpoints=9"};
const std::vector<std::string> telling = {"experiment.seed=1",
                                          "experiment.threads=2",
                                          "experiment.validation=0.1",
                                          "dataset.galaxies=200",
                                          "encoders.image.depth=12",
                                          "stages.pretraining.steps=7",
                                          "stages.pretraining.optimizer.lr=0.5"};

TEST(Experiment, AResultDoesNotDependOnWhatSaysSo) {
  const auto text = [](const Experiment& e) { return config::to_toml(affecting_results(e.resolved())); };
  const std::string base = text(with({}));
  for (const std::string& key : harmless) EXPECT_EQ(text(with({key})), base) << key;
  for (const std::string& key : telling) EXPECT_NE(text(with({key})), base) << key;
  EXPECT_NE(text(with({"tasks.redshift.k=3"})), base);
  EXPECT_NE(text(with({"evaluation.batch=3"})), base);
}

TEST(Experiment, AStagesKeyIsWhatItsWeightsDependOn) {
  const std::string first = stage_key({with({}), 0}), second = stage_key({with({}), 1});
  for (const std::string& key : harmless) {
    EXPECT_EQ(stage_key({with({key}), 0}), first) << key;
    EXPECT_EQ(stage_key({with({key}), 1}), second) << key;
  }
  for (const std::string& key : telling) EXPECT_NE(stage_key({with({key}), 1}), second) << key;
  for (const std::string key : {"tasks.redshift.k=3", "evaluation.batch=3", "evaluation.floors=[]"}) {
    EXPECT_EQ(stage_key({with({key}), 1}), second) << key;  // what measures
  }
  for (const std::string key :
       {"encoders.image.depth=12", "stages.alignment.steps=7", "stages.alignment.loss.augment=false"}) {
    EXPECT_EQ(stage_key({with({key}), 0}), first) << key;  // what comes later
    EXPECT_NE(stage_key({with({key}), 1}), second) << key;
  }
}

}  // namespace
}  // namespace astroclip
