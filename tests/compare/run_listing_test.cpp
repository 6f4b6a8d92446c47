#include "compare/run_listing.h"

#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/output/durable_file.h"
#include "record/checkpoint.h"
#include "record/run_folder.h"
#include "support/scratch.h"

namespace astroclip::compare {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::scratch;

constexpr const char* experiment = R"([experiment]
name = "tried"
[[stages]]
name = "first"
steps = 10
[[stages]]
name = "second"
steps = 20
)";

constexpr const char* report =
    R"([{"title": "redshift", "note": "", "protocol": "", "better": {"R²": "more", "bias": "nearer zero"},
"rows": [{"modality": "image", "representation": "aligned", "method": "knn", "role": "model",
          "n_train": 8, "n_test": 2, "values": {"R²": 0.75, "bias": 0.01},
          "errors": {"R²": {"objects": 0.1, "seeds": null}, "bias": {"objects": null, "seeds": null}}},
         {"modality": "image", "representation": "untrained", "method": "knn", "role": "floor",
          "n_train": 8, "n_test": 2, "values": {"R²": 0.5},
          "errors": {"R²": {"objects": 0.1, "seeds": null}}}]}])";

class RunListing : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  /// A run of the experiment that last wrote so many minutes ago.
  record::RunFolder make(const std::string& name, int minutes) {
    const auto run = record::RunFolder::create(folder_ + "/" + name, name, experiment);
    fs::last_write_time(run.resolved(), fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
    return run;
  }
  static void checkpoint(const record::RunFolder& run, int64_t stage, int64_t step) {
    const record::Position position{stage, step, 1, "avx2"};
    record::write_checkpoint(run.checkpoints() + "/" + record::checkpoint_name(position), position, {});
  }
  /// Writes without making the run look younger.
  static void write_old(const record::RunFolder& run, const std::string& file, const std::string& text) {
    io::write_text(file, text);
    fs::last_write_time(file, fs::last_write_time(run.resolved()));
  }

  std::string folder_ = scratch("listed");
};

TEST_F(RunListing, TellsHowEachRunStands) {
  const auto finished = make("finished", 4), failed = make("failed", 3), interrupted = make("interrupted", 2),
             running = make("running", 1), begun = make("begun", 5);
  write_old(finished, finished.report_json(), report);
  checkpoint(finished, 1, 20);
  write_old(failed, failed.log(), "some progress\nfailed: no space\n");
  checkpoint(failed, 0, 4);
  write_old(interrupted, interrupted.log(), "failed: at first\nthen it went on\n");
  checkpoint(interrupted, 0, 10);
  checkpoint(interrupted, 1, 7);
  write_old(running, running.metrics(), "{\"stage\":\"first\",\"step\":3,\"loss\":1.0}\n");
  const record::RunLock lock(running);

  const auto all = list_runs(folder_ + "/");
  std::vector<std::string> lines;
  for (const Listed& one : all) {
    ASSERT_EQ(one.runs.size(), 1U);
    const ListedRun& run = one.runs[0];
    lines.push_back(fs::path(run.path).filename().string() + " " + name_of(run.state) + " " + run.stage + " " +
                    std::to_string(run.step) + "/" + std::to_string(run.steps));
  }
  EXPECT_THAT(lines,
              ElementsAre("running running first 3/10", "interrupted interrupted second 7/20",
                          "failed failed first 4/10", "finished finished second 20/20", "begun interrupted  0/0"));
  EXPECT_EQ(all[2].runs[0].problem, "no space");
  ASSERT_EQ(all[3].runs[0].results.size(), 1U);
  EXPECT_EQ(all[3].runs[0].results[0].name, "R² image knn");

  const std::string text = to_text(all, false);
  EXPECT_THAT(text, HasSubstr("R² image knn 0.75\n"));
  EXPECT_THAT(text, HasSubstr("first 4/10: no space\n"));
  EXPECT_THAT(text, HasSubstr("second 7/20; resume with: astroclip run --resume " + interrupted.path() + "\n"));
  EXPECT_THAT(text, HasSubstr("no checkpoint yet; resume with: astroclip run --resume " + begun.path()));
  const auto parsed = nlohmann::json::parse(to_json(all));
  ASSERT_EQ(parsed.size(), 5U);
  EXPECT_EQ(parsed[3]["results"]["R² image knn"], 0.75);
  EXPECT_EQ(parsed[0]["state"], "running");
}

TEST_F(RunListing, ASweepIsOneLineUnlessItsRunsAreAskedFor) {
  io::make_folder(folder_ + "/losses");
  io::write_text(folder_ + "/losses/sweep.toml", "[sweep]\n");
  const auto done = make("losses/loss=clip", 2);
  write_old(done, done.report_json(), report);
  (void)make("losses/loss=siglip", 1);
  const auto all = list_runs(folder_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(to_text(all, false), HasSubstr("sweep"));
  EXPECT_THAT(to_text(all, false), HasSubstr("1 of 2 finished, 1 interrupted\n"));
  EXPECT_THAT(to_text(all, false), testing::Not(HasSubstr("loss=clip")));
  EXPECT_THAT(to_text(all, true), HasSubstr("\n  loss=clip"));
  EXPECT_EQ(list_runs(folder_ + "/losses").size(), 1U);
  EXPECT_EQ(list_runs(folder_ + "/losses/loss=clip")[0].runs[0].state, RunState::finished);
}

TEST_F(RunListing, WhatIsDamagedIsToldAndKeepsNothingElseBack) {
  const auto report_cut = make("report_cut", 1), resolved_cut = make("resolved_cut", 2), whole = make("whole", 3);
  write_old(report_cut, report_cut.report_json(), "[{\"title\":");
  write_old(whole, whole.report_json(), report);
  checkpoint(resolved_cut, 0, 4);
  io::write_text(resolved_cut.resolved(), "[experiment\n");
  std::string text = to_text(list_runs(folder_), false);
  EXPECT_THAT(text, HasSubstr("report.json: damaged, or written by another version\n"));
  EXPECT_THAT(text, HasSubstr("resolved.toml:1"));
  EXPECT_THAT(text, HasSubstr("R² image knn 0.75\n"));
}

TEST_F(RunListing, NoFolderIsAnError) {
  EXPECT_THAT([&] { list_runs(folder_ + "/none"); }, ThrowsMessage<Error>(folder_ + "/none: not a folder"));
  EXPECT_TRUE(list_runs(folder_).empty());
}

}  // namespace
}  // namespace astroclip::compare
