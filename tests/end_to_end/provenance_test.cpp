// What a result is of: which objects, which data, which code.
#include <gmock/gmock.h>

#include <numeric>

#include "data/layouts/paired_file.h"
#include "data/paired_dataset.h"
#include "io/output/durable_file.h"
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

constexpr int64_t survey_size = 100, training = 80;  // the last fifth of a group is for testing

const std::string& survey() {
  static const std::string path = [] {
    const std::string to = scratch("survey.h5");
    const Outcome outcome =
        run_program("simulate --galaxies " + std::to_string(survey_size) + " --output '" + to + "'");
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
  for (size_t i = 0; i < 5; ++i) rows[training + i] = rows[i];
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
  for (size_t i = training; i < rows.size(); ++i) rows[i] = rows[i - training];
  write_rows(file, rows);
  const Outcome outcome = run_program("run " + on_file(file) + " --output '" + folder + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("[evaluation] 20 of 20 test objects are training objects, too (the same "
                                     "object_id); train_test_overlap = \"keep\" measures them nevertheless"));
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace astroclip
