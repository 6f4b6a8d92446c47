// What [sweep] makes of an experiment, and what it says of mistakes.
#include "sweep/plan.h"

#include <gmock/gmock.h>

#include "config/toml.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string experiment = R"([experiment]
name = "e"
seed = 4
[dataset]
plugin = "simulated_survey"
galaxies = 100
[encoders.image]
plugin = "vit"
image = 48
dim = 32
depth = 1
heads = 2
chunks = 1
[encoders.spectrum]
plugin = "specformer"
dim = 32
depth = 1
heads = 2
[[stages]]
name = "pretraining"
encoders = ["spectrum"]
loss = { plugin = "masked_spectrum" }
[[stages]]
name = "alignment"
loss = { plugin = "clip" }
)";
// The first line of [sweep] in the file.
constexpr int sweep_line = 27;

Plan plan(const std::string& sweep) { return read_plan(config::parse_text(experiment + "\n" + sweep, "s.toml")); }

std::vector<std::string> names(const Plan& plan) {
  std::vector<std::string> all;
  for (const PlannedRun& run : plan.runs) all.push_back(run.name);
  return all;
}

std::string problems(const std::string& sweep) {
  try {
    (void)plan(sweep);
  } catch (const config::ProblemList& list) {
    return list.what();
  }
  return "none";
}

TEST(Plan, CrossesListsAndSeedsAndNamesRunsByWhatDiffers) {
  const Plan made = plan(R"([sweep]
seeds = [1, 2]
[sweep.cross]
"stages.alignment.loss" = [{ plugin = "clip" }, { plugin = "siglip", logit_scale = 5.0 }]
"stages.alignment.optimizer.lr" = [1e-3, 2e-3]
)");
  EXPECT_THAT(names(made),
              ElementsAre("loss=clip,lr=0.001,seed=1", "loss=clip,lr=0.002,seed=1", "loss=siglip,lr=0.001,seed=1",
                          "loss=siglip,lr=0.002,seed=1", "loss=clip,lr=0.001,seed=2", "loss=clip,lr=0.002,seed=2",
                          "loss=siglip,lr=0.001,seed=2", "loss=siglip,lr=0.002,seed=2"));
  const Experiment& last = made.runs.back().experiment;
  EXPECT_EQ(last.seed, 2);
  EXPECT_EQ(last.stages[1].loss.plugin, "siglip");
  EXPECT_EQ(*last.stages[1].loss.parameters.find("logit_scale")->get_if<double>(), 5.0);
  EXPECT_EQ(last.stages[1].optimizer.lr, 2e-3);
  EXPECT_EQ(last.stages[0].optimizer.lr, 1e-4);  // another stage's stays
}

TEST(Plan, ZipsKeysThatGoTogether) {
  const Plan made = plan(R"([[sweep.zip]]
encoders.image.dim = [32, 64]
encoders.image.heads = [2, 4]
)");
  EXPECT_THAT(names(made), ElementsAre("dim=32,heads=2", "dim=64,heads=4"));
}

TEST(Plan, LengthensNamesUntilKeysDiffer) {
  const Plan made = plan(R"([sweep.cross]
"stages.pretraining.steps" = [1]
"stages.alignment.steps" = [2]
)");
  EXPECT_THAT(names(made), ElementsAre("pretraining.steps=1,alignment.steps=2"));
}

TEST(Plan, TellsTablesOfOnePluginApartByTheirKeys) {
  const Plan made = plan(R"([sweep.cross]
"stages.alignment.loss" = [{ plugin = "clip" }, { plugin = "clip", logit_scale = 20.0 }, { plugin = "cyclip" }]
)");
  EXPECT_THAT(names(made), ElementsAre("loss=clip", "loss=clip,logit_scale=20.0", "loss=cyclip"));
}

TEST(Plan, RangesAreEvenInDifferencesOrInRatios) {
  EXPECT_THAT(names(plan("[sweep.cross]\nstages.alignment.batch = { from = 16, to = 33, step = 8 }\n")),
              ElementsAre("batch=16", "batch=24", "batch=32"));
  EXPECT_THAT(
      names(plan("[sweep.cross]\ndataset.views.spectrum.relative_noise.level = { from = 0.1, to = 0.3, count = 3 }\n")),
      ElementsAre("level=0.1", "level=0.2", "level=0.3"));
  EXPECT_THAT(
      names(plan(
          "[sweep.cross]\nstages.alignment.optimizer.lr = { from = 1e-4, to = 1e-2, count = 3, scale = \"log\" }\n")),
      ElementsAre("lr=1e-04", "lr=0.001", "lr=0.01"));
  EXPECT_THAT(names(plan("[sweep]\nseeds = { from = 3, to = 1, step = -1 }\n")),
              ElementsAre("seed=3", "seed=2", "seed=1"));
}

TEST(Plan, PutsEveryProblemOfEveryRunAtItsPlaceOnce) {
  const std::string text = problems(R"([sweep]
seeds = [1, 2]
[sweep.cross]
"stages.alignment.loss" = [{ plugin = "clip", logit_skale = 3.0 }, { plugin = "siglip" }]
"encoders.image.dim" = [32, 33]
)");
  const std::string line = std::to_string(sweep_line + 3);
  EXPECT_THAT(text, HasSubstr("s.toml:" + line +
                              ":47: error: [stages.alignment.loss] plugin 'clip' has no parameter "
                              "'logit_skale'; did you mean 'logit_scale'? (run loss=clip,dim=32,seed=1)"));
  EXPECT_THAT(text, HasSubstr("'heads' must divide 'dim' (run loss=clip,dim=33,seed=1)"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
}

TEST(Plan, AutoPrecisionIsTheFirstRunsForGood) {
  config::Table file = config::parse_text(experiment + "[sweep]\nseeds = [1, 2]\n", "s.toml");
  config::apply_override(file, "experiment.precision=auto");
  const Plan first = read_plan(file);
  const std::string chosen = name_of(fastest_precision(device_named("auto")).precision);
  EXPECT_THAT(first.text, HasSubstr("precision = \"" + chosen + "\""));
  EXPECT_EQ(read_plan(config::parse_text(first.text, "sweep.toml")).runs.at(1).experiment.precision_reason, "");

  // A sweep that was begun keeps its own, whatever is faster now.
  const std::string path = testing_support::scratch("begun.toml");
  for (const std::string before : {"f32", "bf16"}) {
    io::write_text(path, "[experiment]\nprecision = \"" + before + "\"\n");
    config::Table again = file;
    keep_precision(again, path);
    EXPECT_EQ(*again.find("experiment")->get_if<config::Table>()->find("precision")->get_if<std::string>(), before);
  }
  config::apply_override(file, "experiment.precision=f32");
  keep_precision(file, path);
  EXPECT_EQ(read_plan(file).runs.at(0).experiment.precision, Precision::f32);
}

TEST(Plan, AutoPrecisionIsNotSwept) {
  EXPECT_THAT(problems("[sweep.cross]\nexperiment.precision = [\"f32\", \"auto\"]\n"),
              HasSubstr("[sweep] 'experiment.precision' takes \"f32\" and \"bf16\"; \"auto\" is for all runs"));
}

TEST(Plan, ProblemsThatAllRunsHaveAreTheFilesOwn) {
  config::Table file = config::parse_text(experiment + "[sweep]\nseeds = [1, 2]\n", "s.toml");
  config::apply_override(file, "dataset.galaxies=-1");
  try {
    (void)read_plan(file);
    FAIL();
  } catch (const config::ProblemList& list) {
    EXPECT_THAT(list.what(), HasSubstr("--set dataset.galaxies=-1: error: "));
    EXPECT_THAT(list.what(), testing::Not(HasSubstr("(run ")));
  }
}

TEST(Plan, RefusesWhatIsNoSweep) {
  EXPECT_THAT(problems("[sweep]\n"),
              HasSubstr("s.toml:27:1: error: [sweep] has no parameters; expected seeds, cross or zip"));
  EXPECT_THAT(problems("[sweep]\nsteps = [1]\n"), HasSubstr("s.toml:28:1: error: [sweep] unknown key 'steps'"));
  EXPECT_THAT(problems("[sweep]\nseeds = 3\n"),
              HasSubstr("s.toml:28:9: error: [sweep] 'seeds' must be a list or a range, found an integer"));
  EXPECT_THAT(problems("[sweep]\nseeds = []\n"), HasSubstr("[sweep] 'seeds' has no values"));
  EXPECT_THAT(problems("[sweep]\nseeds = [1, 1]\n"), HasSubstr("two runs have the name seed=1"));
  EXPECT_THAT(problems("[sweep.cross]\nstages.alignmnt.steps = [1, 2]\n"),
              HasSubstr("s.toml:28:17: error: [sweep] 'stages.alignmnt.steps': no element of 'stages' has the name or "
                        "plugin 'alignmnt'; did you mean 'alignment'?"));
  EXPECT_THAT(problems("[sweep]\nseeds = [1]\n[sweep.cross]\nexperiment.seed = [1]\n"),
              HasSubstr("[sweep] 'experiment.seed' is swept twice"));
  EXPECT_THAT(
      problems("[sweep.zip]\nexperiment.seed = [1, 2]\nstages.alignment.batch = [1, 2, 3]\n"),
      HasSubstr("zipped keys need equally many values: 'experiment.seed' has 2, 'stages.alignment.batch' has 3"));
}

TEST(Plan, RefusesRangesThatMakeNoSense) {
  const auto range = [](const std::string& text) { return problems("[sweep]\nseeds = " + text + "\n"); };
  EXPECT_THAT(range("{ from = 1, to = 2 }"),
              HasSubstr("s.toml:28:9: error: [sweep.seeds] a range has either 'step' or"));
  EXPECT_THAT(range("{ from = 1, to = 2, step = -1 }"), HasSubstr("'step' leads away from 'to'"));
  EXPECT_THAT(range("{ from = 0, to = 2, count = 2, scale = \"log\" }"), HasSubstr("'from' and 'to' above 0"));
  EXPECT_THAT(range("{ from = 0, to = 1e9, step = 1 }"), HasSubstr("more than 10000 values"));
  EXPECT_THAT(range("{ from = 0, two = 1, step = 1 }"), HasSubstr("unknown key 'two'; did you mean 'to'?"));
}

TEST(Plan, StagesAreEqualWhenWhatTheirWeightsDependOnIs) {
  const Plan made = plan(R"([sweep]
seeds = [1, 2]
[[sweep.zip]]
"stages.alignment.loss" = [{ plugin = "clip" }, { plugin = "siglip" }, { plugin = "clip" }]
"stages.pretraining.batch" = [64, 64, 32]
"experiment.loader_threads" = [1, 2, 1]
"encoders.image.depth" = [1, 2, 1]
)");
  ASSERT_EQ(made.runs.size(), 6U);
  const auto key = [&](size_t run, size_t stage) { return made.runs[run].stage_keys[stage]; };
  EXPECT_EQ(key(0, 0), key(1, 0));  // the loss comes later, the other encoder is not in it
  EXPECT_NE(key(0, 1), key(1, 1));
  EXPECT_NE(key(0, 0), key(2, 0));  // another batch
  EXPECT_NE(key(0, 1), key(2, 1));  // its past differs
  EXPECT_NE(key(0, 0), key(3, 0));  // another seed
}

}  // namespace
}  // namespace astroclip::sweep
