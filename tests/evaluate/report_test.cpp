// What reports are written as, and the measures that are read from them.
#include "evaluate/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "evaluate/measure.h"
#include "evaluate/object_files.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "support/scratch.h"

namespace astroclip::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Report> reports() {
  Report one{"redshift: z", "k = 16", {}, {{"R²", Better::more}, {"bias", Better::nearer_zero}, {"σ", Better::less}}};
  one.rows = {{"aligned",
               "image",
               "knn",
               Role::model,
               {{"objects", 7.0}, {"R²", 0.5123, 0.0031, 0.001}, {"bias", NAN}, {"σ", 0.1, 0.0062}},
               80,
               20},
              {"pca-8", "image", "knn", Role::floor, {{"R²", 0.25}}},
              {"runs/other", "image", "knn", Role::baseline, {{"R²", 0.75}}}};
  Report two{"redshift: age", "", {}, {{"R²", Better::more}}};
  two.rows = {{"aligned", "image", "knn", Role::model, {{"R²", 0.125}}}};
  two.protocol = "published";
  return {one, two};
}

TEST(Measures, AreThoseOfTheModelByUniqueNames) {
  std::vector<std::string> names, first;
  for (const Measure& one : measures(reports())) {
    names.push_back(one.name);
    if (one.is_first) first.push_back(one.name);
    EXPECT_EQ(one.better.has_value(), !one.name.starts_with("objects")) << one.name;
  }
  EXPECT_THAT(names, ElementsAre("objects image knn", "R² image knn", "bias image knn", "σ image knn",
                                 "R² image knn (redshift: age)"));
  EXPECT_THAT(first, ElementsAre("R² image knn", "R² image knn (redshift: age)"));
}

TEST(ReportText, MarksFloorsAndBaselines) {
  const std::string text = report_text(reports());
  EXPECT_THAT(text, HasSubstr("\n  image  aligned  "));
  EXPECT_THAT(text, HasSubstr("\n  image    floor: pca-8  "));
  EXPECT_THAT(text, HasSubstr("\n  image    baseline: runs/other  knn"));
}

/// √(0.0031² + 0.001²) = 0.00326 has two digits, 0.0062 one.
TEST(ReportText, HasObjectsAndErrors) {
  const std::string text = report_text(reports());
  EXPECT_THAT(text, HasSubstr("method  n train  n test"));
  EXPECT_THAT(text, testing::ContainsRegex("knn +80 +20 +7.0000  0.5123±0.0033 +–  0.100±0.006"));
}

TEST(ReportJson, HoldsObjectsAndBothErrors) {
  const auto parsed = nlohmann::json::parse(report_json(reports()));
  const auto& row = parsed[0]["rows"][0];
  EXPECT_EQ(row["n_train"], 80);
  EXPECT_EQ(row["n_test"], 20);
  EXPECT_EQ(row["errors"]["R²"]["objects"], 0.0031);
  EXPECT_EQ(row["errors"]["R²"]["seeds"], 0.001);
  EXPECT_TRUE(row["errors"]["objects"]["seeds"].is_null());
  EXPECT_EQ(parsed[1]["protocol"], "published");
}

TEST(ReportJson, IsReadAsItWasWritten) {
  const std::string path = testing_support::scratch("report.json");
  io::write_text(path, report_json(reports()));
  const std::vector<Report> read = read_report(path);
  EXPECT_EQ(report_json(read), report_json(reports()));
  EXPECT_EQ(report_text(read), report_text(reports()));
}

TEST(ReportJson, OfAnotherVersionIsRefused) {
  const std::string path = testing_support::scratch("old.json");
  io::write_text(path, R"([{"title": "t", "note": "", "better": {}, "rows": [
                          {"modality": "image", "representation": "aligned", "method": "knn", "baseline": false,
                           "values": {}}]}])");
  EXPECT_THAT([&] { read_report(path); },
              testing::ThrowsMessage<Error>(HasSubstr(path + ": damaged, or written by another version")));
}

TEST(PredictionsFile, HasAGroupForEachTaskLabelModalityRepresentationAndMethod) {
  const std::string path = testing_support::scratch("predictions.h5");
  const Prediction one{"runs/other", "image", "ridge", Role::baseline, "redshift", 3, {7, 8}, {0.1, 0.2}, {0.15, 0.25}};
  Prediction several{"aligned", "image", "knn", Role::model, "bar", 3, {7, 8}, {1, 0, 0, 1}, {0.7, 0.3, 0.4, 0.6}};
  several.outputs = {"no", "weak"};
  write_predictions(path, {{"redshift", {one, one}}, {"morphology", {several}}}, {});
  const auto file = io::Hdf5File::open(path);
  EXPECT_THAT(file.groups("redshift/redshift/image/runs_other"), ElementsAre("ridge", "ridge 2"));
  const std::string group = "redshift/redshift/image/runs_other/ridge/";
  std::vector<double> predicted(2);
  file.read_rows(group + "predicted", std::vector<int64_t>{0, 1}, DType::f64, predicted.data());
  EXPECT_THAT(predicted, ElementsAre(0.15, 0.25));
  EXPECT_TRUE(file.contains(group + "object_id") && file.contains(group + "truth"));
  const std::string bar = "morphology/bar/image/aligned/knn/";
  file.read_rows(bar + "predicted", std::vector<int64_t>{1}, DType::f64, predicted.data());
  EXPECT_THAT(predicted, ElementsAre(0.4, 0.6));
  EXPECT_THAT(file.read_ids(bar + "outputs", std::vector<int64_t>{0, 1}).texts, ElementsAre("no", "weak"));
}

TEST(ProbeFiles, AreOfTrainedEncodersAlone) {
  const std::string folder = testing_support::scratch("probes");
  Prediction one{"aligned", "image", "ridge", Role::model, "redshift", 3, {7}, {0.1}, {0.15}};
  const std::vector<double> weight = {3, 4};
  one.fitted = {{"weight", Tensor::from_host(weight, {1, 2}, DType::f64, Device::host())}};
  Prediction of_floor = one;
  of_floor.method = "knn";
  one.metadata = {{"model_hash", "abc"}};
  write_probes(folder, {{"redshift", {one, one, of_floor}}});
  const std::string first = folder + "/redshift redshift image aligned ridge";
  EXPECT_EQ(io::SafetensorsFile::open(first + ".safetensors").read("weight", DType::f64, Device::host()).to_doubles(),
            weight);
  EXPECT_EQ(io::SafetensorsFile::open(first + " 2.safetensors").metadata().at("model_hash"), "abc");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
}

}  // namespace
}  // namespace astroclip::evaluate
