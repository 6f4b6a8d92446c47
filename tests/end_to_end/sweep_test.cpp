// Sweeps of the smallest experiment: what runs share, what a kill leaves, what a failure stops.
#include <gmock/gmock.h>

#include <chrono>

#include "base/rng.h"
#include "io/output/durable_file.h"
#include "support/program.h"
#include "support/same_file.h"

namespace astroclip {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_support::run_and_signal;
using testing_support::run_program;
using testing_support::same_file;
using testing_support::scratch;

/// smoke.toml, shorter, with a section [sweep].
std::string sweep_file(const std::string& name, const std::string& sweep) {
  const std::string path = scratch(name + ".toml");
  io::write_text(path, io::read_text(ASTROCLIP_EXPERIMENTS "/smoke.toml") + "\n" + sweep);
  return path;
}

std::vector<std::string> arguments(const std::string& file, const std::string& folder) {
  return {"run",      file,
          "--output", folder,
          "--set",    "dataset.cache=" + scratch("sweep_cache"),
          "--set",    "stages.spectrum-pretraining.steps=12",
          "--set",    "stages.alignment.steps=12",
          "--set",    "evaluation.floors=[]"};
}

testing_support::Outcome run(const std::string& file, const std::string& folder, const std::string& more = "") {
  std::string words;
  for (const std::string& word : arguments(file, folder)) words += " '" + word + "'";
  return run_program(words + more);
}

const std::string two_losses = R"([sweep]
seeds = [1]
[sweep.cross]
"stages.alignment.loss" = [{ plugin = "clip" }, { plugin = "siglip" }]
)";

/// A sweep that nothing disturbed, made once.
const std::string& undisturbed_sweep() {
  static const std::string folder = [] {
    const std::string path = scratch("sweep");
    const auto outcome = run(sweep_file("two_losses", two_losses), path);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("2 runs, 0 already finished, 0 failed"));
    return path;
  }();
  return folder;
}

TEST(Sweep, ARunThatTakesAStageEndsAsOneThatTrainsIt) {
  const std::string shared = undisturbed_sweep() + "/loss=siglip,seed=1", alone = scratch("alone");
  EXPECT_THAT(io::read_text(shared + "/log.txt"), HasSubstr("stage spectrum-pretraining: weights copied from " +
                                                            undisturbed_sweep() + "/loss=clip,seed=1/stages/"));
  const auto outcome = run_program("run '" + shared + "/resolved.toml' --output '" + alone + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* file : {"stages/spectrum-pretraining.safetensors", "model.safetensors", "report.json"}) {
    EXPECT_TRUE(same_file(shared + "/" + file, alone + "/" + file)) << file;
  }
}

TEST(Sweep, TokensOfFrozenBackbonesAreKeptAndChangeNoBit) {
  const std::string folder = scratch("sweep_frozen"), alone = scratch("sweep_computed");
  const auto outcome = run(sweep_file("frozen", R"([sweep]
seeds = [1]
[sweep.cross]
"stages.alignment.loss" = [{ plugin = "clip", augment = false }, { plugin = "siglip", augment = false }]
[sweep.zip]
"stages.alignment.freeze" = [["spectrum.backbone", "image.backbone"]]
"encoders.image.dropout" = [0.0]
"evaluation.batch" = [48]
)"),
                           folder, " --set experiment.precision=auto");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  // Each backbone runs over each split once: the second run finds what the first one kept.
  const std::string name = "freeze=spectrum.backbone+image.backbone,dropout=0.0,batch=48,seed=1";
  const std::string first = folder + "/loss=clip," + name, second = folder + "/loss=siglip," + name;
  EXPECT_THAT(io::read_text(first + "/log.txt"), HasSubstr("precision \"auto\" is "));
  EXPECT_THAT(io::read_text(first + "/log.txt"), HasSubstr("kept the tokens of the frozen image backbone: "));
  EXPECT_THAT(io::read_text(second + "/log.txt"), testing::Not(HasSubstr("kept the tokens")));
  for (const std::string& one : {first, second}) {
    fs::remove_all(alone);
    const auto computed = run_program("run '" + one + "/resolved.toml' --output '" + alone + "'");
    ASSERT_EQ(computed.status, 0) << computed.err;
    for (const char* file : {"/model.safetensors", "/embeddings.h5", "/report.json"}) {
      EXPECT_TRUE(same_file(one + file, alone + file)) << one << file;
    }
  }
}

TEST(Sweep, StartedAgainItRepeatsNothingAndTakesInWhatIsNew) {
  const std::string folder = scratch("sweep_again");
  fs::copy(undisturbed_sweep(), folder, fs::copy_options::recursive);
  const auto before = fs::last_write_time(folder + "/loss=clip,seed=1/report.json");
  std::string three = two_losses;
  three.replace(three.find("]\n", three.find("siglip")), 1, ", { plugin = \"cyclip\" }]");
  const auto outcome = run(sweep_file("three_losses", three), folder);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("3 runs, 2 already finished, 0 failed"));
  EXPECT_EQ(fs::last_write_time(folder + "/loss=clip,seed=1/report.json"), before);
  EXPECT_TRUE(fs::exists(folder + "/loss=cyclip,seed=1/report.json"));
}

TEST(Sweep, KilledAtRandomMomentsItEndsWithTheSameWeights) {
  const std::string folder = scratch("sweep_killed");
  Rng rng(3, RngStream::tests);
  (void)undisturbed_sweep();  // makes the survey
  auto words = arguments(sweep_file("killed", two_losses), folder);
  for (int moment = 0; moment < 4; ++moment) {
    run_and_signal(words, std::chrono::milliseconds(100 + rng.below(700)), SIGKILL);
    if (fs::exists(folder + "/sweep.toml")) words = {"run", "--resume", folder};
  }
  const auto outcome = run_program("run --resume '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* name : {"/loss=clip,seed=1/model.safetensors", "/loss=siglip,seed=1/model.safetensors"}) {
    EXPECT_TRUE(same_file(folder + name, undisturbed_sweep() + name)) << name;
  }
}

TEST(Sweep, CtrlCStopsItAndSaysHowToGoOn) {
  (void)undisturbed_sweep();
  const std::string folder = scratch("sweep_interrupted");
  auto words = arguments(sweep_file("interrupted", two_losses), folder);
  words.insert(words.end(), {"--set", "stages.spectrum-pretraining.steps=100000"});
  EXPECT_EQ(run_and_signal(words, folder + "/loss=clip,seed=1/metrics.jsonl", SIGINT), 130);
  EXPECT_TRUE(fs::exists(folder + "/loss=clip,seed=1/log.txt"));
  EXPECT_FALSE(fs::exists(folder + "/loss=siglip,seed=1"));
}

TEST(Sweep, AFailedRunIsReportedAndTheOthersGoOn) {
  const std::string folder = scratch("sweep_failed");
  const auto outcome = run(sweep_file("failed", R"([[sweep.zip]]
"stages.spectrum-pretraining.optimizer.lr" = [1e30, 1e-3]
"stages.spectrum-pretraining.optimizer.max_grad_norm" = [0.0, 1.0]
)"),
                           folder);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.out, HasSubstr("2 runs, 0 already finished, 1 failed\n"));
  EXPECT_THAT(outcome.err, HasSubstr("  lr=1e+30,max_grad_norm=0.0: [stages."));
  EXPECT_TRUE(fs::exists(folder + "/lr=0.001,max_grad_norm=1.0/report.json"));
}

TEST(Sweep, RefusesAFolderWithOtherRunsBeforeAnythingRuns) {
  const std::string folder = scratch("sweep_other");
  fs::copy(undisturbed_sweep(), folder, fs::copy_options::recursive);
  const std::string file = sweep_file("other", two_losses);
  const auto outcome = run_program("run '" + file + "' --output '" + folder + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("/loss=clip,seed=1: is the folder of a run of another experiment: its 'cache = "));
  const auto inside = run_program("run '" + file + "' --output '" + folder + "/loss=clip,seed=1'");
  EXPECT_THAT(inside.err, HasSubstr("/loss=clip,seed=1: is the folder of a run; a sweep needs its own folder"));
}

TEST(Sweep, ADryRunShowsWhatIsLeftToDoAndWritesNoRun) {
  const std::string folder = scratch("sweep_dry");
  const std::string file = sweep_file("dry", two_losses);
  std::string line;
  for (const std::string& word : arguments(file, folder)) line += " '" + word + "'";
  auto outcome = run_program(line + " --dry-run");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("  loss=clip,seed=1    12 steps of spectrum-pretraining, 12 steps of alignment\n"
                        "  loss=siglip,seed=1  12 steps of alignment, spectrum-pretraining from another run\n\n"
                        "2 runs: 0 finished, 0 started, 2 new; 3 stages to train, 1 shared with other runs\n"
                        "training: about "));
  EXPECT_FALSE(fs::exists(folder));

  fs::copy(undisturbed_sweep(), folder, fs::copy_options::recursive);
  fs::remove(folder + "/loss=siglip,seed=1/report.json");
  outcome = run_program(line + " --dry-run");
  EXPECT_THAT(outcome.out, HasSubstr("  loss=clip,seed=1    finished\n  loss=siglip,seed=1  started, after step 12"));
  EXPECT_FALSE(fs::exists(folder + "/loss=siglip,seed=1/report.json"));
}

TEST(Sweep, ADryRunTellsOfASingleRunToo) {
  (void)undisturbed_sweep();  // makes the survey
  const auto outcome = run_program("run '" ASTROCLIP_EXPERIMENTS "/smoke.toml' --dry-run --set dataset.cache='" +
                                   scratch("sweep_cache") + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("  smoke  40 steps of spectrum-pretraining, 90 steps of alignment\n"));
}

TEST(Compare, PrintsAndWritesOneTableOfASweep) {
  const std::string out = scratch("table");
  const auto outcome = run_program("compare '" + undisturbed_sweep() + "' --baseline clip --measure rank --markdown '" + out +
                                   ".md' --latex '" + out + ".tex' --csv '" + out + ".csv'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("| configuration | seeds | median rank image → spectrum cosine |"));
  EXPECT_THAT(outcome.out, HasSubstr("\n| loss=siglip   | 1     | "));
  EXPECT_EQ(io::read_text(out + ".md"), outcome.out);
  EXPECT_THAT(io::read_text(out + ".tex"), HasSubstr("\\toprule"));
  EXPECT_THAT(io::read_text(out + ".csv"), HasSubstr("\"loss=siglip\",\"median rank image → spectrum cosine\",1,"));
}

TEST(Compare, RefusesWhatIsNoFinishedRun) {
  auto outcome = run_program("compare '" ASTROCLIP_EXPERIMENTS "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("experiments: is neither a run nor a sweep"));
  outcome = run_program("compare");
  EXPECT_EQ(outcome.status, 2);
}

TEST(Sweep, ChecksEveryCombinationBeforeAnythingRuns) {
  const std::string folder = scratch("sweep_unsound");
  const auto outcome = run(sweep_file("unsound", "[sweep.cross]\nencoders.image.dim = [32, 33]\n"), folder);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("'heads' must divide 'dim' (run dim=33)"));
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace astroclip
