// Whole runs of the smallest experiment: what must be learnt, and what must survive being killed.
#include <gmock/gmock.h>
#include <hdf5.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "io/output/durable_file.h"
#include "io/weights/weights_file.h"
#include "record/checkpoint.h"
#include "record/run_folder.h"
#include "support/fixtures.h"
#include "support/program.h"
#include "support/same_file.h"

namespace astroclip {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_support::fixture;
using testing_support::run_and_signal;
using testing_support::run_program;
using testing_support::same_file;
using testing_support::scratch;

const std::string smoke = "'" ASTROCLIP_EXPERIMENTS "/smoke.toml'";

/// One simulated survey for all tests of this process.
std::string cache() { return " --set dataset.cache='" + scratch("cache") + "'"; }

std::string run_arguments(const std::string& folder) { return "run " + smoke + cache() + " --output '" + folder + "'"; }

/// The run that nothing disturbed, made once.
const std::string& undisturbed_run() {
  static const std::string folder = [] {
    const std::string path = scratch("undisturbed");
    const auto outcome = run_program(run_arguments(path));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return path;
  }();
  return folder;
}

std::vector<nlohmann::json> metrics(const std::string& folder) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(io::read_text(folder + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

double mean_loss(const std::vector<nlohmann::json>& lines, size_t begin, size_t count) {
  double sum = 0.0;
  for (size_t i = begin; i < begin + count; ++i) sum += lines.at(i).at("loss").get<double>();
  return sum / static_cast<double>(count);
}

TEST(Run, LearnsAndLeavesACompleteFolder) {
  const std::string& folder = undisturbed_run();
  for (const char* name :
       {"resolved.toml", "log.txt", "metrics.jsonl", "model.safetensors", "embeddings.h5", "predictions.h5",
        "report.txt", "report.json", "report/index.html", "stages/alignment.safetensors"}) {
    EXPECT_TRUE(fs::is_regular_file(folder + "/" + name)) << name;
  }
  for (const char* name : {"log.txt", "report.txt", "report/index.html"}) {
    EXPECT_THAT(io::read_text(folder + "/" + name), HasSubstr("simulated, not observed: simulated_survey 6: galaxies="))
        << name;
  }
  const auto lines = metrics(folder);
  ASSERT_EQ(lines.size(), 130U);
  EXPECT_LT(mean_loss(lines, 35, 5), 0.8 * mean_loss(lines, 0, 5));    // masked spectra become predictable
  EXPECT_LT(mean_loss(lines, 125, 5), 0.8 * mean_loss(lines, 40, 5));  // partners are found among 32
}

TEST(Run, ItsPageIsWrittenAgainToTheSameBytes) {
  const std::string again = scratch("page"), page = undisturbed_run() + "/report/index.html";
  const auto outcome = run_program("report '" + undisturbed_run() + "' --output '" + again + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, again + "/index.html\n");
  EXPECT_TRUE(same_file(again + "/index.html", page));
  EXPECT_THAT(io::read_text(page), HasSubstr("loss = { plugin = &quot;clip&quot;"));  // the resolved experiment
}

TEST(Run, AlignmentFindsTheOtherModalityOfUnseenGalaxies) {
  const auto reports = nlohmann::json::parse(io::read_text(undisturbed_run() + "/report.json"));
  const auto retrieval = std::ranges::find_if(reports, [](const auto& report) {
    return report["title"].template get<std::string>().find("across") != std::string::npos;
  });
  ASSERT_NE(retrieval, reports.end());
  int directions = 0;
  for (const auto& row : (*retrieval)["rows"]) {
    const double rank = row["values"]["median rank"];
    // Among 40, by chance 20.
    if (row["representation"] == "aligned") {
      EXPECT_LT(rank, 10.0) << row;
      ++directions;
    } else if (row["representation"] == "untrained") {
      EXPECT_GT(rank, 12.0) << row;
    }
  }
  EXPECT_EQ(directions, 2);
}

TEST(Run, TheResolvedFileRunsAgainToTheSameWeights) {
  const std::string again = scratch("again");
  const auto outcome = run_program("run '" + undisturbed_run() + "/resolved.toml' --output '" + again + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(same_file(again + "/model.safetensors", undisturbed_run() + "/model.safetensors"));
}

/// What the report of a run says of a representation, in its order.
std::vector<std::string> rows_of(const std::string& folder, const std::string& representation) {
  std::vector<std::string> rows;
  for (const auto& report : nlohmann::json::parse(io::read_text(folder + "/report.json"))) {
    for (const auto& row : report["rows"]) {
      if (row["representation"] == representation)
        rows.push_back(row["modality"].dump() + row["method"].dump() + row["values"].dump());
    }
  }
  return rows;
}

TEST(Run, AModelFileIsMeasuredBesideTheExperimentsOwn) {
  const std::string folder = scratch("beside"), model = undisturbed_run() + "/model.safetensors";
  const auto outcome = run_program(run_arguments(folder) +
                                   " --set stages.spectrum-pretraining.steps=0 --set stages.alignment.steps=0"
                                   " --set evaluation.models='[\"" +
                                   model + "\"]'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string run = fs::path(undisturbed_run()).filename();
  EXPECT_FALSE(rows_of(folder, run).empty());
  EXPECT_EQ(rows_of(folder, run), rows_of(undisturbed_run(), "aligned"));
  EXPECT_NE(rows_of(folder, "aligned"), rows_of(undisturbed_run(), "aligned"));
}

TEST(Run, AModelFileThatTellsNothingIsRefusedBeforeTraining) {
  const std::string folder = scratch("refused"), weights = ASTROCLIP_FIXTURES "/specformer.ckpt";
  const auto outcome = run_program(run_arguments(folder) + " --set evaluation.models='[\"" + weights + "\"]'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(weights + ": does not tell its architecture"));
  EXPECT_FALSE(fs::exists(folder + "/metrics.jsonl"));
}

TEST(Run, TakesTheComputeThreadsOfTheEnvironment) {
  setenv("OMP_NUM_THREADS", "1", 1);
  const auto outcome = run_program(run_arguments(scratch("one_thread")) +
                                   " --set stages.spectrum-pretraining.steps=1 --set stages.alignment.steps=1");
  unsetenv("OMP_NUM_THREADS");
  EXPECT_THAT(outcome.out, HasSubstr(" with 1 compute threads "));
}

TEST(Run, KilledAtRandomMomentsItEndsWithTheSameWeights) {
  (void)undisturbed_run();  // makes the survey, so that all of the time goes into training
  const std::string folder = scratch("killed");
  Rng rng(2, RngStream::tests);
  std::vector<std::string> arguments = {
      "run", ASTROCLIP_EXPERIMENTS "/smoke.toml", "--set", "dataset.cache=" + scratch("cache"), "--output", folder};
  int killed = 0;
  for (int moment = 0; moment < 5; ++moment) {
    const std::chrono::milliseconds wait(100 + rng.below(900));
    killed += run_and_signal(arguments, wait, SIGKILL) == 128 + SIGKILL ? 1 : 0;
    // Nothing half-written stands under a final name, and the number of loader threads may change.
    arguments = {"run", "--resume", folder, "--loader-threads", std::to_string(1 + moment % 3)};
  }
  EXPECT_GE(killed, 1);
  const auto outcome = run_program("run --resume '" + folder + "' --loader-threads 2");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(same_file(folder + "/model.safetensors", undisturbed_run() + "/model.safetensors"));
  EXPECT_EQ(metrics(folder).size(), 130U);  // every step once
}

TEST(Run, CtrlCEndsAtAStepBoundaryAndSaysHowToGoOn) {
  const std::string folder = scratch("interrupted");
  const int status =
      run_and_signal({"run", ASTROCLIP_EXPERIMENTS "/smoke.toml", "--set", "dataset.cache=" + scratch("cache"), "--set",
                      "stages.alignment.steps=100000", "--output", folder},
                     folder + "/metrics.jsonl", SIGINT);
  EXPECT_EQ(status, 130);
  EXPECT_THAT(io::read_text(folder + "/log.txt"), HasSubstr("resume with: astroclip run --resume " + folder + "\n"));
}

TEST(Run, RefusesToOverwriteARun) {
  const auto outcome = run_program(run_arguments(undisturbed_run()));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + undisturbed_run() +
                             ": already exists; a run never overwrites another (astroclip run --resume " +
                             undisturbed_run() + " continues it)\n");
}

TEST(Run, ResumingWithOtherThreadsIsRefused) {
  const std::string folder = scratch("threads");
  fs::copy(undisturbed_run(), folder, fs::copy_options::recursive);
  fs::remove(folder + "/report.json");
  const auto outcome = run_program("run --resume '" + folder + "' --threads 3");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("compute threads, this run has 3; resume with --threads"));
}

TEST(Run, ResumingOnAnotherDeviceIsRefused) {
  const std::string folder = scratch("device");
  fs::copy(undisturbed_run(), folder, fs::copy_options::recursive);
  fs::remove(folder + "/report.json");
  record::Checkpoint last = *record::latest_checkpoint(folder + "/checkpoints");
  std::vector<NamedTensor> tensors = io::read_weights(last.path, Device::host()).tensors;
  last.position.device = "a card";
  record::write_checkpoint(last.path, last.position, tensors);
  const auto outcome = run_program("run --resume '" + folder + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("was computed on a card, this run computes on the host; resume there"));
}

TEST(Run, TwoProcessesAreNotAtOneRun) {
  const std::string folder = scratch("two");
  fs::copy(undisturbed_run(), folder, fs::copy_options::recursive);
  fs::remove(folder + "/report.json");
  const auto run = record::RunFolder::open(folder);
  EXPECT_FALSE(record::RunLock::is_held(run));
  {
    const record::RunLock lock(run);
    EXPECT_TRUE(record::RunLock::is_held(run));
    const auto outcome = run_program("run --resume '" + folder + "'");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.err, "astroclip: error: " + folder + ": the run is in use by another process\n");
  }
  EXPECT_EQ(run_program("run --resume '" + folder + "'").status, 0);
}

TEST(Run, IsFinishedEvenIfItsPageCannotBeWritten) {
  const std::string folder = scratch("pageless");
  fs::copy(undisturbed_run(), folder, fs::copy_options::recursive);
  fs::remove(folder + "/report.json");
  fs::remove_all(folder + "/report");
  io::write_text(folder + "/report", "a file where the page's folder would be");
  const auto outcome = run_program("run --resume '" + folder + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("warning: the page of the run is not written: " + folder + "/report"));
  EXPECT_TRUE(same_file(folder + "/report.json", undisturbed_run() + "/report.json"));
  fs::remove(folder + "/report");
  EXPECT_EQ(run_program("report '" + folder + "'").status, 0);
  EXPECT_TRUE(fs::is_regular_file(folder + "/report/index.html"));
}

TEST(Run, AFinishedRunIsLeftAlone) {
  const auto outcome = run_program("run --resume '" + undisturbed_run() + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("the run is already finished"));
}

/// Ended while the page was written.
TEST(Run, AFinishedRunWithoutItsPageGetsIt) {
  const std::string folder = scratch("half_a_page");
  fs::copy(undisturbed_run(), folder, fs::copy_options::recursive);
  fs::remove_all(folder + "/report/figures");
  fs::remove(folder + "/report/index.html");
  const auto outcome = run_program("run --resume '" + folder + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("report: " + folder + "/report/index.html"));
  EXPECT_TRUE(fs::is_regular_file(folder + "/report/index.html"));
}

TEST(Run, ABadNumberStopsTheRunNamingItAndUpdatesNothing) {
  const std::string folder = scratch("diverged");
  const auto outcome = run_program(run_arguments(folder) +
                                   " --set stages.spectrum-pretraining.optimizer.lr=1e30"
                                   " --set stages.spectrum-pretraining.optimizer.warmup=0"
                                   " --set stages.spectrum-pretraining.optimizer.max_grad_norm=0");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("[stages.spectrum-pretraining] step "));
  EXPECT_THAT(outcome.err, HasSubstr("is not finite"));
  EXPECT_THAT(outcome.err, HasSubstr("nothing was updated"));
  const std::string log = io::read_text(folder + "/log.txt");
  EXPECT_THAT(outcome.err, testing::EndsWith("astroclip: error: " + log.substr(log.rfind(record::failure_mark) +
                                                                               strlen(record::failure_mark))));
}

TEST(Check, TakesEveryExperimentOfTheTree) {
  for (const auto& entry : fs::directory_iterator(ASTROCLIP_EXPERIMENTS)) {
    if (!entry.is_regular_file()) continue;  // models/ holds no experiments
    const auto outcome = run_program("check '" + entry.path().string() + "'");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("no problems"));
  }
}

/// What docs/training.md shows is what experiments/training.toml holds; commands are no lines of it.
TEST(Check, TheDocumentationOfTrainingQuotesItsExperiment) {
  const std::string experiment = "\n" + io::read_text(ASTROCLIP_EXPERIMENTS "/training.toml");
  std::istringstream text(io::read_text(ASTROCLIP_EXPERIMENTS "/../docs/training.md"));
  int quoted = 0;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("    ") || line.starts_with("    tensorboard ")) continue;
    EXPECT_THAT(experiment, HasSubstr("\n" + line.substr(4) + "\n"));
    ++quoted;
  }
  EXPECT_GE(quoted, 8);
}

/// What later stages need is looked at before an earlier one trains; the folder is free again then.
TEST(Run, MistakesInLaterStagesCostNoTraining) {
  const std::string folder = scratch("mistake");
  const std::pair<std::string, std::string> mistakes[] = {
      {"stages.alignment.init.image=\"" + fixture("astrodino.ckpt") + "\"",
       fixture("astrodino.ckpt") + ": encoder 'image': its tensors"},
      {"stages.alignment.batch=100000", "[stages.alignment] 'batch' = 100000 exceeds the "},
      {"stages.alignment.loss={plugin=\"supervised\", labels=[\"nope\"]}", "has no field 'nope'"},
      {"encoders.image.image=600", "the encoder takes images of [3, 600, 600]"},
      {"stages.alignment.loss={plugin=\"masked_spectrum\", spans=2, span_length=5} --set "
       "stages.alignment.micro_batch=4",
       "'micro_batch' works for losses of whole embeddings"},
      {"stages.alignment.validation={every=2, metric=\"x\"} --set experiment.validation=0.2",
       "there is no metric 'x' (validation.loss, validation.clip)"},
      {"stages.alignment.freeze=[\"image.backbon\"]",
       "freeze 'image.backbon': no parameter is named 'backbon'; there are backbone, cross_attention, "
       "mlp\n"}};
  for (const auto& [assignment, complaint] : mistakes) {
    std::string quoted = assignment;
    const size_t more = quoted.find(" --set ");
    quoted = more == std::string::npos ? "'" + quoted + "'" : "'" + quoted.substr(0, more) + "'" + quoted.substr(more);
    const auto outcome = run_program(run_arguments(folder) + " --set " + quoted);
    EXPECT_EQ(outcome.status, 1) << assignment;
    EXPECT_THAT(outcome.err, HasSubstr(complaint));
    EXPECT_FALSE(fs::exists(folder)) << assignment;
  }
}

TEST(Run, NamesThatAreNoFileNamesAreRefused) {
  for (const std::string assignment : {"experiment.name=../x", "experiment.name=", "stages.alignment.name=../x",
                                       "stages.alignment.name=a/b", "stages.alignment.name=.x"}) {
    const auto outcome = run_program("check " + smoke + " --set " + assignment);
    EXPECT_EQ(outcome.status, 1) << assignment;
    EXPECT_THAT(outcome.err, HasSubstr("is no name for a file"));
  }
}

TEST(Check, BuildsWhatTheFileNames) {
  const std::string check = "check " + smoke + " --set ";
  for (const auto& [assignment, complaint] :
       {std::pair<std::string, std::string>{"encoders.image.head.width=48", "must be equally wide"},
        {"stages.alignment.encoders='[\"image\"]'", "two"},
        {"stages.alignment.loss='{ plugin=\"masked_spectrum\", encoder=\"image\", spans=1, span_length=1 }'",
         "encoder 'vit' cannot reconstruct its tokens"},
        {"evaluation.models='[\"/nowhere/m.safetensors\"]'", "/nowhere/m.safetensors: cannot read"}}) {
    const auto outcome = run_program(check + assignment);
    EXPECT_EQ(outcome.status, 1) << assignment;
    EXPECT_THAT(outcome.err, HasSubstr(complaint));
  }
}

TEST(Check, LooksAtAnExperimentForACardThatIsNotThere) {
  const std::string check = "check " + smoke + " --set experiment.device=cuda:99 --set experiment.precision=auto";
  const auto outcome = run_program(check + cache() + " --data");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("[experiment] 'device' = \"cuda:99\": a run needs that card, which this machine lacks: "));
  EXPECT_THAT(outcome.out, HasSubstr("no problems\n"));
  const auto mistaken = run_program(check + " --set encoders.image.head.width=48");
  EXPECT_EQ(mistaken.status, 1);
  EXPECT_THAT(mistaken.err, HasSubstr("must be equally wide"));
}

/// NaN in a pixel of one object is told from NaN that training made.
TEST(Run, AnObjectThatIsNotFiniteIsNamed) {
  const std::string survey = scratch("bad_pixel.h5"), folder = scratch("bad_pixel");
  ASSERT_EQ(run_program("simulate '" + survey + "' --galaxies 40").status, 0);
  int64_t id = 0;
  {
    const hid_t file = H5Fopen(survey.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t images = H5Dopen2(file, "0/images", H5P_DEFAULT), ids = H5Dopen2(file, "0/targetids", H5P_DEFAULT);
    std::vector<float> pixels(10 * 152 * 152 * 3);
    std::vector<int64_t> all(10);  // of the first of four groups
    H5Dread(images, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels.data());
    H5Dread(ids, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data());
    pixels[152 * 152 * 3 + (76 * 152 + 76) * 3] = std::nanf("");
    id = all[1];
    H5Dwrite(images, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels.data());
    H5Dclose(ids);
    H5Dclose(images);
    H5Fclose(file);
  }
  const auto outcome = run_program(std::string("run ") + ASTROCLIP_EXPERIMENTS "/smoke.toml --output '" + folder +
                                   "' --set 'dataset={plugin=\"astroclip_hdf5\", path=\"" + survey +
                                   "\"}' --set stages.spectrum-pretraining.steps=1 --set stages.alignment.batch=32"
                                   " --set stages.spectrum-pretraining.batch=8");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("the view 'image' of object " + std::to_string(id) + " is not finite"));
}

}  // namespace
}  // namespace astroclip
