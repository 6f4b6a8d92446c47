// What a result is of: which objects, which data, which code.
#include <gmock/gmock.h>

#include <numeric>

#include "data/layouts/paired_file.h"
#include "data/paired_dataset.h"
#include "io/output/durable_file.h"
#include "support/experiment_text.h"
#include "support/program.h"
#include "support/whole_dataset.h"

namespace astroclip {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing_support::Outcome;
using testing_support::run_program;
using testing_support::scratch;
using testing_support::whole_dataset;

constexpr int64_t survey_size = 100, training_size = 80;  // the last fifth of a group is for testing

const std::string& survey() {
  static const std::string path = [] {
    const std::string to = scratch("survey.h5");
    const Outcome outcome = run_program("simulate '" + to + "' --galaxies " + std::to_string(survey_size));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return to;
  }();
  return path;
}

/// Writes rows of the survey, in this order, as one group.
void write_rows(const std::string& path, const std::vector<int64_t>& rows) {
  constexpr int64_t all_tenths = 10;
  const data::PairedDataset all(survey(), all_tenths);
  HostBatch batch;
  std::vector<std::string> names;
  for (const Field& field : all.fields()) names.push_back(field.name);
  // The survey's rows lie in groups; object ids count them.
  all.read(Split::train, rows, names, batch);
  std::map<std::string, std::span<const double>> labels;
  for (const Field& field : all.fields()) {
    if (field.shape.rank() == 0 && field.name != "redshift" && field.name != "object_id")
      labels[field.name] = batch.at(field.name).values<double>();
  }
  std::vector<std::string> label_names;
  for (const auto& [name, values] : labels) label_names.push_back(name);
  const int64_t groups[] = {static_cast<int64_t>(rows.size())};
  data::PairedWriter writer(path, groups, label_names, false);
  writer.write({.count = groups[0],
                .images = batch.at("image").values<float>(),
                .spectra = batch.at("spectrum").values<float>(),
                .redshifts = batch.at("redshift").values<double>(),
                .object_ids = batch.at("object_id").values<int64_t>(),
                .labels = labels});
  writer.commit();
}

std::vector<int64_t> every_row() {
  std::vector<int64_t> rows(survey_size);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// smoke.toml, shorter, on a file.
std::string on_file(const std::string& path) {
  return "'" ASTROCLIP_EXPERIMENTS "/smoke.toml' --set 'dataset={ plugin = \"astroclip_hdf5\", path = \"" + path +
         "\" }' --set stages.spectrum-pretraining.steps=2 --set stages.alignment.steps=2 --set evaluation.floors=[]"
         " --set tasks.redshift.probes='[\"knn\"]'";
}

TEST(Overlap, TestObjectsThatAreTrainingObjectsAreNotMeasured) {
  const std::string file = scratch("overlap.h5"), folder = scratch("overlap");
  std::vector<int64_t> rows = every_row();
  for (size_t i = 0; i < 5; ++i) rows[training_size + i] = rows[i];
  write_rows(file, rows);
  const std::string sentence = "5 of 20 test objects are training objects, too (the same object_id)";
  EXPECT_THAT(run_program("check --data " + on_file(file)).out,
              HasSubstr("80 training and 20 test objects\n" + sentence + " and are not measured\n"));

  Outcome outcome = run_program("run " + on_file(file) + " --output '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* name : {"/log.txt", "/report.txt", "/report.json"}) {
    EXPECT_THAT(io::read_text(folder + name), HasSubstr(sentence + " and are not measured")) << name;
  }
  EXPECT_EQ(whole_dataset<int64_t>(folder + "/embeddings.h5", "test/object_id").size(), 15U);

  fs::remove_all(folder);
  outcome = run_program("run " + on_file(file) + " --set evaluation.train_test_overlap=keep --output '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(io::read_text(folder + "/report.txt"), HasSubstr(sentence + "; they are measured, too"));
  EXPECT_EQ(whole_dataset<int64_t>(folder + "/embeddings.h5", "test/object_id").size(), 20U);

  outcome = run_program("check --data --set evaluation.train_test_overlap=refuse " + on_file(file));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(sentence + "; train_test_overlap = \"exclude\" measures the others"));
}

TEST(Overlap, ATestSetCopiedFromTrainingIsRefusedBeforeTraining) {
  const std::string file = scratch("copied.h5"), folder = scratch("copied");
  std::vector<int64_t> rows = every_row();
  for (size_t i = training_size; i < rows.size(); ++i) rows[i] = rows[i - training_size];
  write_rows(file, rows);
  const Outcome outcome = run_program("run " + on_file(file) + " --output '" + folder + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("[evaluation] 20 of 20 test objects are training objects, too (the same "
                                     "object_id); train_test_overlap = \"keep\" measures them nevertheless"));
  EXPECT_FALSE(fs::exists(folder));
}

/// Takes the end of a finished run away, so that it can be resumed.
void unfinish(const std::string& folder) { fs::remove(folder + "/report.json"); }

TEST(Provenance, ARunIsNotResumedOnOtherData) {
  const std::string file = scratch("data.h5"), folder = scratch("data");
  write_rows(file, every_row());
  Outcome outcome = run_program("run " + on_file(file) + " --output '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(io::read_text(folder + "/provenance.toml"), HasSubstr("\"training objects\" = 80\n"));
  unfinish(folder);
  const std::string place = folder + "/checkpoints/stage-01-step-00000002.safetensors: was made when ";

  std::vector<int64_t> rows = every_row();
  std::ranges::reverse(rows);  // others become the test objects
  fs::remove(file);
  write_rows(file, rows);
  outcome = run_program("run --resume '" + folder + "' --accept-rebuilt");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + place + file + " had other contents\n");
  // Nor are its galaxies shown. Nobody has the address, in case it would serve them.
  outcome = run_program("explore '" + folder + "' --listen 203.0.113.1 --open-to-network");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + folder + ": was made when " + file + " had other contents\n");

  rows = every_row();
  rows.resize(50);
  fs::remove(file);
  write_rows(file, rows);
  outcome = run_program("run --resume '" + folder + "'");
  EXPECT_EQ(outcome.err, "astroclip: error: " + place + "the dataset had 80 training objects; now it has 40\n");

  fs::remove(file);
  write_rows(file, every_row());
  outcome = run_program("run --resume '" + folder + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

/// A folder with the template's dataset, and an experiment on it.
struct OwnPlugin {
  std::string folder = scratch("plugins"), file = folder + "/my_dataset.so";
  OwnPlugin() {
    fs::create_directories(folder);
    fs::copy_file(TEST_DATASETS "/my_dataset.so", file, fs::copy_options::overwrite_existing);
  }
  void rebuild() const { std::ofstream(file, std::ios::app) << "another build"; }
  Outcome run(const std::string& arguments) const { return run_program("--plugins '" + folder + "' run " + arguments); }
};

std::string on_own_plugin(const std::string& more) {
  const std::string path = scratch("own.toml");
  io::write_text(path, R"([experiment]
name = "own"
[dataset]
plugin = "my_dataset"
objects = 50
side = 24
pixels = 64
)" + testing_support::template_towers +
                           R"([[stages]]
name = "alignment"
loss = { plugin = "clip" }
steps = 2
batch = 8
[evaluation]
floors = []
[[tasks]]
plugin = "redshift"
probes = ["knn"]
k = 4
)" + more);
  return "'" + path + "'";
}

TEST(Provenance, ARunIsResumedWithARebuiltPluginOnRequestOnly) {
  const OwnPlugin plugin;
  const std::string folder = scratch("rebuilt");
  ASSERT_EQ(plugin.run(on_own_plugin("") + " --output '" + folder + "'").status, 0);
  unfinish(folder);
  plugin.rebuild();
  const std::string sentence =
      folder + "/checkpoints/stage-00-step-00000002.safetensors: dataset 'my_dataset' was rebuilt since";
  Outcome outcome = plugin.run("--resume '" + folder + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + sentence + "; --accept-rebuilt goes on with what there is now\n");
  outcome = plugin.run("--resume '" + folder + "' --accept-rebuilt");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(sentence + "\n"));
  EXPECT_THAT(io::read_text(folder + "/provenance.toml"), HasSubstr("accepted = [\"" + sentence + "\"]"));
}

TEST(Provenance, ASweepTakesInNoRunsOfOtherCode) {
  const OwnPlugin plugin;
  const std::string folder = scratch("rebuilt_sweep");
  const auto sweep = [&](const std::string& values, const std::string& option = "") {
    return plugin.run(on_own_plugin("[sweep.cross]\n\"stages.alignment.optimizer.lr\" = [" + values + "]\n") +
                      " --output '" + folder + "' " + option);
  };
  ASSERT_EQ(sweep("0.001").status, 0);
  plugin.rebuild();
  EXPECT_EQ(sweep("0.001").status, 0);  // nothing is left to do
  const Outcome outcome = sweep("0.001, 0.002");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + folder +
                             "/lr=0.001: dataset 'my_dataset' was rebuilt since; "
                             "--accept-rebuilt goes on with what there is now\n");
  EXPECT_EQ(sweep("0.001, 0.002", "--accept-rebuilt").status, 0);
}

TEST(Provenance, EmbeddingsAreNotGoneOnWithAfterARebuild) {
  const OwnPlugin plugin;
  const std::string folder = scratch("embedded"), output = scratch("embedded.h5");
  ASSERT_EQ(plugin.run(on_own_plugin("") + " --output '" + folder + "'").status, 0);
  const std::string embed = "--plugins '" + plugin.folder + "' embed --model '" + folder +
                            "/model.safetensors' --dataset " + on_own_plugin("") + " --output '" + output + "'";
  ASSERT_EQ(run_program(embed).status, 0);
  ASSERT_EQ(run_program(embed).status, 0);
  plugin.rebuild();
  EXPECT_EQ(run_program(embed).err,
            "astroclip: error: " + output + ": dataset 'my_dataset' was rebuilt since; delete it to begin anew\n");
}

}  // namespace
}  // namespace astroclip
