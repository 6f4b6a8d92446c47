// Whole runs with everything that a stage can do: what it leaves, and that being killed changes no bit of it.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/rng.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "support/program.h"

namespace astroclip {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_support::run_and_signal;
using testing_support::run_program;
using testing_support::scratch;

/// The smallest experiment with a validation set, accumulated and split batches, averages and groups. Both stages end
/// with their best weights; the second by its patience, far before its last step.
std::vector<std::string> full_run(const std::string& folder) {
  std::vector<std::string> words = {"run", ASTROCLIP_EXPERIMENTS "/smoke.toml", "--output", folder};
  for (const std::string& assignment : std::vector<std::string>{
           "dataset.cache=" + scratch("cache"), "experiment.validation=0.2", "evaluation.floors=[]",
           "stages.spectrum-pretraining.steps=24", "stages.spectrum-pretraining.accumulate=2",
           "stages.spectrum-pretraining.checkpoint_every=7", "stages.spectrum-pretraining.validation={every=5}",
           "stages.spectrum-pretraining.watch={every=8, label=\"redshift\"}", "stages.alignment.steps=1000",
           "stages.alignment.batch=16", "stages.alignment.micro_batch=6", "stages.alignment.accumulate=2",
           "stages.alignment.ema=0.9", "stages.alignment.checkpoint_every=4", "stages.alignment.keep_checkpoints=3",
           "stages.alignment.validation={every=6, patience=3, metric=\"validation.clip\", tasks=50}",
           "stages.alignment.optimizer={lr=1e-3, layer_decay=0.7, groups=[{match=\"*.bias\", decay_scale=0.0}]}"}) {
    words.insert(words.end(), {"--set", assignment});
  }
  return words;
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line.append("'").append(word).append("' ");
  return line;
}

/// The run that nothing disturbed, made once.
const std::string& undisturbed_training() {
  static const std::string folder = [] {
    const std::string path = scratch("full");
    const auto outcome = run_program(shell_line(full_run(path)));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return path;
  }();
  return folder;
}

/// Lines of the metrics without what depends on the clock.
std::vector<nlohmann::json> metrics_but_times(const std::string& folder) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(io::read_text(folder + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(nlohmann::json::parse(line));
    for (const char* clocked : {"time", "objects_per_second", "wait_share"}) lines.back().erase(clocked);
  }
  return lines;
}

/// step → "validation.clip" of the alignment.
std::vector<std::pair<int64_t, double>> validations(const std::string& folder) {
  std::vector<std::pair<int64_t, double>> all;
  for (const auto& line : metrics_but_times(folder)) {
    if (line["stage"] == "alignment" && line.contains("validation.clip"))
      all.emplace_back(line["step"], line["validation.clip"]);
  }
  return all;
}

std::map<std::string, std::vector<double>> tensors(const std::string& path) {
  const auto file = io::SafetensorsFile::open(path);
  std::map<std::string, std::vector<double>> all;
  for (const auto& entry : file.entries())
    all[entry.name] = file.read(entry.name, DType::f64, {DeviceKind::reference}).to_doubles();
  return all;
}

/// In order.
std::set<std::string> checkpoints(const std::string& folder) {
  std::set<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder + "/checkpoints")) paths.insert(entry.path().string());
  return paths;
}

std::string last_checkpoint(const std::string& folder) { return *checkpoints(folder).rbegin(); }

TEST(Training, EndsThreeValidationsAfterTheBestAndKeepsThatOne) {
  const auto all = validations(undisturbed_training());
  ASSERT_GE(all.size(), 4U);
  const auto best = std::ranges::min_element(all.begin() + 1, all.end(), {}, &std::pair<int64_t, double>::second);
  EXPECT_EQ(all.end() - best, 4);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].first, static_cast<int64_t>(6 * i));
  EXPECT_EQ(metrics_but_times(undisturbed_training()).back()["step"], all.back().first);
  EXPECT_THAT(io::read_text(undisturbed_training() + "/log.txt"),
              HasSubstr("stage alignment ends with the weights of step " + std::to_string(best->first)));
  const std::string stages = undisturbed_training() + "/stages/";
  EXPECT_EQ(tensors(stages + "alignment.safetensors"), tensors(stages + "alignment.best.safetensors"));
  EXPECT_EQ(tensors(undisturbed_training() + "/model.safetensors"), tensors(stages + "alignment.safetensors"));
  EXPECT_EQ(checkpoints(undisturbed_training()).size(), 3U);
}

TEST(Training, DrawsReconstructionsAtEachValidation) {
  for (const char* step : {"00000000", "00000005", "00000024"}) {
    for (const char* object : {"1", "4"}) {
      const std::string figure = undisturbed_training() + "/figures/spectrum-pretraining-" + step + "-" + object;
      const std::string svg = io::read_text(figure + ".svg");
      EXPECT_THAT(svg, HasSubstr("vacuum wavelength [Å]"));
      EXPECT_THAT(svg, HasSubstr("spectrum [1e-17 erg/s/cm²/Å]"));
      std::istringstream table(io::read_text(figure + ".dat"));
      std::string line;
      std::getline(table, line), std::getline(table, line), std::getline(table, line);
      EXPECT_THAT(line, testing::StartsWith("3600 "));
    }
  }
  EXPECT_FALSE(fs::exists(undisturbed_training() + "/figures/spectrum-pretraining-00000005-5.svg"));
}

TEST(Training, TellsTheLooksForACollapseInLogMetricsAndReport) {
  std::vector<int64_t> looks;
  for (const auto& line : metrics_but_times(undisturbed_training())) {
    if (line.contains("watch.spectrum.rank")) looks.push_back(line["step"]);
  }
  EXPECT_THAT(looks, testing::ElementsAre(0, 8, 16, 24));
  EXPECT_THAT(io::read_text(undisturbed_training() + "/log.txt"),
              HasSubstr("spectrum-pretraining after 24 steps: spectrum.rank "));
  EXPECT_THAT(io::read_text(undisturbed_training() + "/report.txt"),
              HasSubstr("looks for a collapse\n  stage spectrum-pretraining, "));
}

TEST(Training, WithoutPatienceAndWithKeepLastItEndsWithTheLastWeights) {
  const std::string folder = scratch("last");
  auto words = full_run(folder);
  words.insert(words.end(), {"--set", "stages.alignment.steps=9", "--set",
                             "stages.alignment.validation={every=6, mode=\"max\", keep=\"last\"}"});
  const auto outcome = run_program(shell_line(words));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto model = tensors(folder + "/model.safetensors");
  const auto checkpoint = tensors(folder + "/checkpoints/stage-01-step-00000009.safetensors");
  for (const auto& [name, values] : model) {
    const auto average = checkpoint.find("average." + name);
    EXPECT_EQ(values, average == checkpoint.end() ? checkpoint.at(name) : average->second) << name;
  }
}

TEST(Training, KilledAtRandomMomentsItEndsWithTheSameBits) {
  (void)undisturbed_training();  // makes the survey, so that all of the time goes into training
  const std::string folder = scratch("killed");
  Rng rng(3, RngStream::tests);
  std::vector<std::string> words = full_run(folder);
  int killed = 0;
  for (int moment = 0; moment < 6; ++moment) {
    killed += run_and_signal(words, std::chrono::milliseconds(100 + rng.below(900)), SIGKILL) == 128 + SIGKILL ? 1 : 0;
    if (fs::exists(folder + "/resolved.toml")) words = {"run", "--resume", folder};
  }
  EXPECT_GE(killed, 1);
  const auto outcome = run_program(shell_line(words));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* file : {"/model.safetensors", "/stages/alignment.best.safetensors", "/stages/alignment.safetensors",
                           "/stages/spectrum-pretraining.safetensors"}) {
    EXPECT_TRUE(io::read_text(folder + file) == io::read_text(undisturbed_training() + file)) << file;
  }
  EXPECT_EQ(metrics_but_times(folder), metrics_but_times(undisturbed_training()));  // every step and validation once, with the same numbers
}

TEST(Training, TensorBoardReadsTheSameNumbersOfAResumedRun) {
  const std::string folder = scratch("events");
  fs::copy(undisturbed_training(), folder, fs::copy_options::recursive);
  fs::remove(folder + "/report.json");
  fs::remove(last_checkpoint(folder));
  const auto outcome = run_program("run --resume '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const char* python = std::getenv("ASTROCLIP_PYTHON");
  const std::string reader = std::string(python == nullptr ? "python3" : python) +
                             " '" ASTROCLIP_END_TO_END "/read_events.py' '" + folder + "'";
  const int status = std::system(reader.c_str());
  if (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127) GTEST_SKIP() << "TensorBoard is not installed";
  EXPECT_EQ(status, 0);
}

TEST(Training, WhatALaterStageGetsWrongIsSaidBeforeTheFirstTrains) {
  const std::string folder = scratch("refused");
  const auto outcome =
      run_program("run '" ASTROCLIP_EXPERIMENTS "/smoke.toml' --set dataset.cache='" + scratch("cache") +
                  "' --output '" + folder + "' --set stages.alignment.optimizer.groups='[{match=\"*.baises\"}]'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err,
              testing::EndsWith("astroclip: error: [stages.alignment.optimizer.groups] 'match' = \"*.baises\" names no "
                                "parameter; did you mean '*.bias'?\n"));
  EXPECT_FALSE(fs::exists(folder + "/metrics.jsonl"));
}

}  // namespace
}  // namespace astroclip
