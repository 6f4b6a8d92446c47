// The measurements on made-up embeddings whose worth is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/error.h"
#include "base/rng.h"
#include "support/message_of.h"
#include "support/tokens_in_memory.h"
#include "testing/plugins.h"

namespace astroclip {
namespace {

std::vector<Report> reports(const std::string& task, const std::string& toml, const TaskInput& input) {
  return testing_support::make_task(task, toml)->run(input).reports;
}

double value_of(const Measurement& row, const std::string& metric) {
  for (const Metric& one : row.values) {
    if (one.name == metric) return one.value;
  }
  ADD_FAILURE() << "no metric " << metric;
  return NAN;
}

/// Takes objects out of a representation, as the evaluation does with those that lack the modality.
void remove(Vectors& vectors, const std::vector<int64_t>& objects) {
  std::vector<int64_t> kept;
  std::ranges::set_difference(vectors.objects, objects, std::back_inserter(kept));
  vectors = of_some(vectors, kept);
}

/// `train` rows of a redshift that one column shows plainly and another not at all.
TaskInput plain_input() {
  TaskInput input;
  Rng rng(4, RngStream::tests);
  Representation telling{"telling", "image", false, Role::model, {}, {}};
  Representation noise{"noise", "image", false, Role::floor, {}, {}};
  const auto fill = [&](int64_t rows, Vectors Representation::*part, std::vector<double>& labels,
                        std::vector<int64_t>& ids) {
    Matrix plain{rows, 2}, random{rows, 2};
    for (int64_t i = 0; i < rows; ++i) {
      const double z = rng.uniform(0.0, 0.6);
      labels.push_back(z);
      ids.push_back(i);
      plain.values.push_back(static_cast<float>(100.0 * z));
      plain.values.push_back(7.0F);
      random.values.push_back(static_cast<float>(rng.normal()));
      random.values.push_back(static_cast<float>(rng.normal()));
    }
    telling.*part = of_all(plain);
    noise.*part = of_all(random);
  };
  fill(200, &Representation::train, input.train_labels["redshift"], input.train_ids);
  fill(50, &Representation::test, input.test_labels["redshift"], input.test_ids);
  input.representations = {telling, noise};
  return input;
}

TEST(RedshiftTask, EachProbeReadsATellingColumnAndFindsNothingInNoise) {
  const auto found = reports("redshift", "probes = [\"ridge\", \"knn\"]\nk = 16", plain_input());
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].rows.size(), 4U);
  for (const Measurement& row : found[0].rows) {
    if (row.representation == "telling") {
      EXPECT_GT(value_of(row, "R²"), 0.999) << row.method;
      EXPECT_LT(value_of(row, "σ_NMAD"), 0.03);
      EXPECT_EQ(value_of(row, "out>0.15"), 0.0);
    } else {
      EXPECT_LT(value_of(row, "R²"), 0.2) << row.method;
      EXPECT_GT(value_of(row, "out>0.05"), 0.4);
      EXPECT_EQ(row.role, Role::floor);
    }
  }
  EXPECT_EQ(found[0].rows[0].method, "knn");
  EXPECT_EQ(found[0].rows[3].method, "ridge");
}

TEST(RedshiftTask, GivesPredictionsAndWhatItFitted) {
  TaskInput input = plain_input();
  input.test_labels["redshift"][0] = NAN;
  input.keep_probes = true;
  input.representations[0].model_hash = "abc";
  const TaskResult result = testing_support::make_task("redshift", "epochs = 1\nprotocol = \"own\"")->run(input);
  ASSERT_EQ(result.predictions.size(), 4U);
  for (const Prediction& one : result.predictions) {
    EXPECT_EQ(one.trained_on, 200);
    ASSERT_EQ(one.predicted.size(), 49U);
    EXPECT_EQ(one.ids[0], 1);
    EXPECT_EQ(one.truth[0], input.test_labels["redshift"][1]);
    const char* own = one.method == "mlp" ? "layers.0.weight" : "labels";
    for (const char* name : {own, "column_mean"}) {
      EXPECT_NE(std::ranges::find(one.fitted, name, &NamedTensor::name), one.fitted.end()) << one.method;
    }
    EXPECT_EQ(one.metadata.at("probe"), one.method);
    EXPECT_EQ(one.metadata.contains("model_hash"), one.representation == "telling");
  }
}

TEST(RedshiftTask, MetricsOfFiveKnownErrors) {
  // One neighbour decides: predictions are the training labels.
  TaskInput input;
  Representation index{
      "index", "image", false, Role::model, of_all({5, 1, {0, 1, 2, 3, 4}}), of_all({5, 1, {0, 1, 2, 3, 4}})};
  input.representations = {index};
  input.train_labels["redshift"] = {0.02, -0.04, 0.10, 0.30, 0.70};
  input.test_labels["redshift"] = {0, 0, 0, 0.1, 0.5};
  input.train_ids = input.test_ids = {1, 2, 3, 4, 5};
  const auto found = reports("redshift", "probes = [\"knn\"]\nk = 1", input);
  const Measurement& row = found.at(0).rows.at(0);
  // Errors over 1 + z: 0.02, −0.04, 0.10, 0.2/1.1 and 0.2/1.5, of which 0.2/1.1 alone is beyond 0.15.
  EXPECT_NEAR(value_of(row, "bias"), 0.10, 1e-12);
  // Of five values in order the quartiles are the second and the fourth.
  EXPECT_NEAR(value_of(row, "σ_IQR"), (0.2 / 1.5 - 0.02) / 1.349, 1e-12);
  EXPECT_EQ(value_of(row, "out>5σ"), 0.0);
  EXPECT_NEAR(value_of(row, "out>0.05"), 0.6, 1e-12);
  EXPECT_NEAR(value_of(row, "out>0.15"), 0.2, 1e-12);
  // Their median is 0.10; deviations from it, sorted: 0, 0.2/1.5 − 0.1, 0.08, 0.2/1.1 − 0.1, 0.14.
  EXPECT_NEAR(value_of(row, "σ_NMAD"), 1.4826 * 0.08, 1e-12);
  // Σ error² = 0.0004 + 0.0016 + 0.01 + 0.04 + 0.04; Σ (truth − 0.12)² = 3 · 0.0144 + 0.0004 + 0.1444.
  EXPECT_NEAR(value_of(row, "R²"), 1.0 - 0.092 / 0.188, 1e-9);
}

TEST(RedshiftTask, LeavesOutObjectsWithoutALabel) {
  TaskInput input = plain_input();
  for (size_t i = 0; i < 100; ++i) input.train_labels["redshift"][i] = NAN;
  input.test_labels["redshift"][0] = NAN;
  const auto found = reports("redshift", "probes = [\"knn\"]\nk = 16", input);
  EXPECT_GT(value_of(found.at(0).rows.at(0), "R²"), 0.99);
  EXPECT_EQ(found[0].rows[0].n_train, 100);
  EXPECT_EQ(found[0].rows[0].n_test, 49);
}

/// Every third object of both splits lacks the telling representation, with labels that would spoil it.
TEST(RedshiftTask, LeavesOutObjectsWithoutTheModality) {
  TaskInput input = plain_input();
  const auto blank = [](Vectors& vectors, std::vector<double>& labels) {
    std::vector<int64_t> without;
    for (size_t object = 0; object < labels.size(); object += 3) {
      without.push_back(static_cast<int64_t>(object));
      labels[object] = 100.0;
    }
    remove(vectors, without);
  };
  blank(input.representations[0].train, input.train_labels["redshift"]);
  blank(input.representations[0].test, input.test_labels["redshift"]);
  const auto found = reports("redshift", "probes = [\"knn\"]\nk = 16", input);
  const Measurement& row = found.at(0).rows.at(0);
  EXPECT_EQ(row.representation, "telling");
  EXPECT_GT(value_of(row, "R²"), 0.999);
  EXPECT_EQ(row.n_train, 200 - 67);
  EXPECT_EQ(row.n_test, 50 - 17);
  EXPECT_EQ(found[0].rows.at(1).n_test, 50);
}

TEST(RedshiftTask, NothingToMeasureIsAnError) {
  TaskInput input = plain_input();
  for (double& label : input.test_labels["redshift"]) label = NAN;
  EXPECT_THAT([&] { reports("redshift", "", input); },
              testing::ThrowsMessage<Error>(
                  "label 'redshift': 200 of 200 training objects and 0 of 50 test objects have the label and the "
                  "representation 'telling' of 'image'; two of each are needed"));
}

TEST(RedshiftTask, RefusesALabelThatIsNoRedshift) {
  EXPECT_THAT([] { testing_support::make_task("redshift", "label = \"log_mass\""); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("'label' = \"log_mass\" is no redshift")));
  for (const std::string label : {"redshift", "Z_HP", "z", "photo_z", "desi_redshift"}) {
    EXPECT_EQ(testing_support::make_task("redshift", "label = \"" + label + "\"")->labels().at(0), label);
  }
}

/// Five objects of the training set and of the test set lack what PROVABGS selects by.
TaskInput input_of_provabgs() {
  TaskInput input = plain_input();
  for (const char* name : {"PROVABGS_LOGMSTAR_BF", "MAG_G", "MAG_R", "MAG_Z"}) {
    input.train_labels[name].assign(200, 10.0);
    input.test_labels[name].assign(50, 10.0);
  }
  for (size_t i = 0; i < 5; ++i) {
    input.train_labels["PROVABGS_LOGMSTAR_BF"][i] = -99.0;
    input.test_labels["MAG_Z"][i] = i == 0 ? NAN : 0.0;
  }
  return input;
}

TEST(RedshiftTask, ThePublishedProtocolSelectsByProvabgs) {
  TaskInput input = input_of_provabgs();
  input.train_labels["Z_HP"] = input.train_labels["redshift"];
  input.test_labels["Z_HP"] = input.test_labels["redshift"];
  const Report report = reports("redshift", "probes = [\"knn\"]\nprotocol = \"published\"", input).at(0);
  EXPECT_EQ(report.protocol, "published");
  EXPECT_EQ(report.rows.at(0).n_train, 195);
  EXPECT_EQ(report.rows.at(0).n_test, 45);
  EXPECT_THAT(report.note, testing::HasSubstr("195 of 200 training and 45 of 50 test objects"));
  EXPECT_THAT(report.note, testing::HasSubstr("k = 64,"));
  EXPECT_THAT(reports("redshift", "probes = [\"knn\"]\nprotocol = \"published\"", plain_input()).at(0).note,
              testing::HasSubstr("the dataset has no such label"));
  EXPECT_THAT([] { testing_support::make_task("redshift", "protocol = \"published\"\nk = 16"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("'protocol' sets k = 64")));
}

TEST(RedshiftTask, MeasuresBinsByThemselves) {
  TaskInput input = plain_input();
  const auto found = reports("redshift", "probes = [\"knn\"]\nbins = [0.0, 0.3, 0.6, 9.0]", input);
  ASSERT_EQ(found.size(), 2U);
  ASSERT_EQ(found[1].rows.size(), 4U);  // no object is beyond 0.6
  EXPECT_EQ(found[1].rows[0].method, "knn 0–0.3");
  const auto low = std::ranges::count_if(input.test_labels["redshift"], [](double z) { return z < 0.3; });
  EXPECT_EQ(found[1].rows[0].n_test, low);
  EXPECT_EQ(found[1].rows[3].method, "knn 0.3–0.6");
  EXPECT_EQ(found[1].rows[0].n_test + found[1].rows[3].n_test, 50);
}

/// Errors of a mean of n values with deviation s are s / √n, here of outliers with the share p: √(p (1 − p) / n).
TEST(RedshiftTask, HasErrorsOverTestObjectsAndOverSeedsOfTheProbe) {
  TaskInput input = plain_input();
  input.resamples = 400;
  input.probe_seeds = 3;
  const auto found = reports("redshift", "epochs = 2", input);
  for (const Measurement& row : found.at(0).rows) {
    for (const Metric& metric : row.values) {
      EXPECT_EQ(std::isfinite(metric.seed_error), row.method == "mlp") << row.method << " " << metric.name;
      if (metric.name != "out>0.05" || row.method != "knn") continue;
      EXPECT_NEAR(metric.object_error, std::sqrt(metric.value * (1.0 - metric.value) / 50.0), 0.012);
    }
  }
  EXPECT_EQ(testing_support::make_task("redshift", "epochs = 2")->run(input).predictions.size(), 2U * (1U + 3U));
}

/// A column that tells the labels gives narrower densities than one of noise.
TEST(PosteriorTask, MeasuresDensitiesOfEachLabelAndOfAll) {
  TaskInput input = plain_input();
  for (const double z : input.train_labels["redshift"]) input.train_labels["mass"].push_back(10.0 - 2.0 * z);
  for (const double z : input.test_labels["redshift"]) input.test_labels["mass"].push_back(10.0 - 2.0 * z);
  input.keep_probes = true;
  const TaskResult result =
      testing_support::make_task("posterior",
                                 "labels = [\"redshift\", \"mass\"]\nflow = \"elementwise\"\nmembers = 2\n"
                                 "epochs = 10\nbatch = 20\nlr = 0.01\n")
          ->run(input);
  ASSERT_EQ(result.reports.size(), 2U);
  ASSERT_EQ(result.reports[0].rows.size(), 4U);
  ASSERT_EQ(result.reports[1].rows.size(), 2U);
  EXPECT_EQ(result.reports[0].rows[0].method, "mass elementwise_flow");
  EXPECT_EQ(result.reports[1].rows[0].method, "all elementwise_flow");
  const auto& rows = result.reports[0].rows;
  for (const char* metric : {"NLL", "CRPS", "CDE loss"}) {
    EXPECT_LT(value_of(rows[0], metric), value_of(rows[1], metric)) << metric;
  }
  ASSERT_EQ(result.predictions.size(), 4U);
  const Prediction& transform = result.predictions[1];
  EXPECT_EQ(transform.method, "elementwise_flow PIT");
  EXPECT_THAT(transform.outputs, testing::ElementsAre("redshift", "mass"));
  EXPECT_EQ(transform.predicted.size(), 100U);
  EXPECT_THAT(transform.predicted, testing::Each(testing::AllOf(testing::Ge(0.0), testing::Le(1.0))));
  const Prediction& one = result.predictions[0];
  EXPECT_EQ(one.outputs.size(), 6U);
  EXPECT_EQ(one.outputs[1], "redshift 50 %");
  EXPECT_EQ(one.predicted.size(), 300U);
  EXPECT_EQ(one.truth.size(), 300U);
  EXPECT_EQ(one.metadata.at("probe"), "elementwise_flow");
}

TEST(PosteriorTask, ThePublishedProtocolSelectsByProvabgs) {
  const auto toml = [](const std::string& protocol) {
    return "labels = [\"redshift\"]\nflow = \"elementwise\"\nprotocol = \"" + protocol + "\"";
  };
  for (const char* protocol : {"published", "corrected"}) {
    EXPECT_THAT(testing_support::make_task("posterior", toml(protocol))->optional_labels(), testing::Contains("MAG_G"));
  }
  EXPECT_THAT(testing_support::make_task("posterior", toml("own"))->optional_labels(), testing::IsEmpty());
  TaskInput input = input_of_provabgs();
  input.representations.resize(1);
  const Report report = reports("posterior", toml("published"), input).at(0);
  EXPECT_EQ(report.protocol, "published");
  EXPECT_EQ(report.rows.at(0).n_train, 195);
  EXPECT_EQ(report.rows.at(0).n_test, 45);
  EXPECT_THAT(report.note, testing::HasSubstr("195 of 200 training and 45 of 50 test objects"));
}

/// 25 epochs at the published rate leave the densities of 200 objects far too wide.
TEST(PosteriorTask, TrainsOnFewObjectsLongEnough) {
  TaskInput input = plain_input();
  input.representations.resize(1);
  const auto loss = [&](const std::string& rest) {
    const std::string toml = "labels = [\"redshift\"]\nmembers = 1\nhidden = 8\n" + rest;
    return value_of(reports("posterior", toml, input).at(0).rows.at(0), "NLL");
  };
  EXPECT_LT(loss(""), loss("epochs = 25\nlr = 5e-4\n") - 0.5);
}

TEST(PosteriorTask, RefusesWhatDoesNotFit) {
  const auto refusal = [](const std::string& toml) {
    return testing_support::message_of([&] { testing_support::make_task("posterior", toml); });
  };
  EXPECT_THAT(refusal("labels = [\"z\"]\nflow = \"coupling\""),
              testing::HasSubstr("'flow' = \"coupling\" is of two labels or more; \"autoregressive\" takes one, too"));
  EXPECT_THAT(refusal("labels = [\"z\"]\nprotocol = \"published\""),
              testing::HasSubstr("'protocol' = \"published\" is of 'flow' = \"elementwise\""));
  EXPECT_THAT(refusal("labels = [\"z\"]\nprotocol = \"corrected\"\nmembers = 3"),
              testing::HasSubstr("'protocol' sets members = 10"));
  EXPECT_THAT(refusal("labels = [\"z\"]\nprotocol = \"corrected\"\nlr = 0.005"),
              testing::HasSubstr("'protocol' sets members = 10"));
  EXPECT_THAT(refusal("labels = []"), testing::HasSubstr("'labels' names no label"));
}

/// Images and spectra of four objects in one space; the pairs of objects 2 and 3 are swapped.
TaskInput paired_input() {
  TaskInput input;
  const std::vector<float> corners = {1, 0, 0, 1, -1, 0, 0, -1};
  const std::vector<float> swapped = {1, 0, 0, 1, 0, -1, -1, 0};
  input.representations = {{"aligned", "image", true, Role::model, of_all({4, 2, corners}), of_all({4, 2, corners})},
                           {"aligned", "spectrum", true, Role::model, of_all({4, 2, swapped}), of_all({4, 2, swapped})},
                           {"pca-2", "image", false, Role::floor, of_all({4, 2, corners}), of_all({4, 2, corners})}};
  input.train_labels["redshift"] = input.test_labels["redshift"] = {0.1, 0.1, 0.5, 0.5};
  input.train_ids = input.test_ids = {1, 2, 3, 4};
  return input;
}

TEST(PropertiesTask, MeasuresEachLabelByEachProbe) {
  TaskInput input = plain_input();
  for (const double z : input.train_labels["redshift"]) input.train_labels["mass"].push_back(10.0 - 2.0 * z);
  for (const double z : input.test_labels["redshift"]) input.test_labels["mass"].push_back(10.5 - 2.0 * z);
  const auto found = reports("properties", "labels = [\"redshift\", \"mass\"]\npenalty = 1e-6", input);
  ASSERT_EQ(found.size(), 1U);
  std::vector<std::string> methods;
  for (const Measurement& row : found[0].rows) {
    if (row.representation == "telling") methods.push_back(row.method);
  }
  EXPECT_THAT(methods, testing::ElementsAre("redshift knn", "redshift ridge", "mass knn", "mass ridge"));
  // Every mass is predicted 0.5 too low, all alike.
  const Measurement& mass = found[0].rows.at(6);
  ASSERT_EQ(mass.representation + " " + mass.method, "telling mass ridge");
  EXPECT_NEAR(value_of(mass, "MAE"), 0.5, 1e-4);
  EXPECT_NEAR(value_of(mass, "σ_NMAD"), 0.0, 1e-4);
}

TEST(PropertiesTask, TheNamedProtocolsPredictAllLabelsTogether) {
  TaskInput input = input_of_provabgs();
  for (const double z : input.train_labels["redshift"]) input.train_labels["mass"].push_back(10.0 - 2.0 * z);
  for (const double z : input.test_labels["redshift"]) input.test_labels["mass"].push_back(10.0 - 2.0 * z);
  input.test_labels["mass"][49] = NAN;
  input.keep_probes = true;
  const std::string labels = "labels = [\"redshift\", \"mass\"]\nprobes = [\"knn\", \"mlp\"]\n";
  for (const std::string protocol : {"published", "corrected"}) {
    const auto task = testing_support::make_task("properties", labels + "protocol = \"" + protocol + "\"");
    EXPECT_THAT(task->optional_labels(), testing::Contains("PROVABGS_LOGMSTAR_BF"));
    const TaskResult found = task->run(input);
    const Report& report = found.reports.at(0);
    EXPECT_EQ(report.protocol, protocol);
    EXPECT_THAT(report.note, testing::StartsWith("protocol " + protocol + "; knn: k = 64"));
    EXPECT_THAT(report.note, testing::HasSubstr("195 of 200 training and 45 of 50 test objects"));
    std::vector<std::string> methods;
    for (const Measurement& row : report.rows) {
      if (row.representation != "telling") continue;
      methods.push_back(row.method);
      if (row.method.ends_with("knn")) {
        EXPECT_GT(value_of(row, "R²"), 0.9);
      }
      EXPECT_EQ(row.n_train, 195);
      EXPECT_EQ(row.n_test, 44) << "an object without a mass is left out of both";
    }
    EXPECT_THAT(methods, testing::ElementsAre("redshift knn", "redshift mlp", "mass knn", "mass mlp"));
    const Prediction& network = found.predictions.at(1);
    EXPECT_EQ(network.method, "mlp");
    EXPECT_THAT(network.outputs, testing::ElementsAre("redshift", "mass"));
    EXPECT_EQ(network.metadata.at("protocol"), protocol);
    const auto widths = std::ranges::find(network.fitted, "layers.1.weight", &NamedTensor::name);
    ASSERT_NE(widths, network.fitted.end());
    EXPECT_EQ(widths->tensor.shape(), Shape({64, 64}));
  }
  EXPECT_THAT(testing_support::make_task("properties", labels)->optional_labels(), testing::IsEmpty());
  EXPECT_THAT([&] { testing_support::make_task("properties", labels + "protocol = \"corrected\"\nepochs = 3"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("'protocol' sets k = 64, hidden = [64, 64]")));
  EXPECT_THAT([] { testing_support::make_task("properties", "labels = []"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("'labels' names no label")));
}

/// A report and each probe tell a protocol, the task's own one, too.
TEST(Protocols, AreToldByEveryTaskThatFitsProbes) {
  TaskInput input = plain_input();
  input.keep_probes = true;
  for (const auto& [task, toml] : {std::pair("redshift", "probes = [\"knn\"]"),
                                   {"properties", "labels = [\"redshift\"]\nprobes = [\"knn\"]"},
                                   {"posterior", "labels = [\"redshift\"]\nmembers = 1\nepochs = 1"}}) {
    const TaskResult found = testing_support::make_task(task, toml)->run(input);
    EXPECT_EQ(found.reports.at(0).protocol, "own") << task;
    EXPECT_EQ(found.predictions.at(0).metadata.at("protocol"), "own") << task;
  }
}

/// Half of the objects' redshifts, which one token alone tells; a floor has no tokens.
class OnTokens : public testing::Test {
 protected:
  OnTokens() {
    Rng rng(24, RngStream::tests);
    const testing_support::Marked train(600, rng), test(200, rng);
    input_.representations = {
        {"trained", "image", false, Role::model, train.vectors, test.vectors},
        {"magnitudes", "image", false, Role::floor, of_all(train.vectors.values), of_all(test.vectors.values), true}};
    input_.train_labels["redshift"] = train.labels;
    input_.test_labels["redshift"] = test.labels;
    for (int64_t i = 0; i < 600; ++i) input_.train_ids.push_back(i);
    for (int64_t i = 0; i < 200; ++i) input_.test_ids.push_back(i);
  }

  TaskInput input_;
};

TEST_F(OnTokens, AnAttentiveProbeStandsBesideTheOthers) {
  const auto task = testing_support::make_task(
      "properties",
      "labels = [\"redshift\"]\nprobes = [\"mlp\", \"attentive\"]\nhidden = [16]\nepochs = 30\n"
      "batch = 20\nlr = 5e-3\ndropout = 0.0");
  EXPECT_TRUE(task->reads_tokens());
  EXPECT_FALSE(testing_support::make_task("properties", "labels = [\"redshift\"]")->reads_tokens());
  input_.probe_seeds = 2;
  // An object without a label, and one that lacks the modality.
  input_.train_labels["redshift"][3] = NAN;
  remove(input_.representations[0].test, {7});
  const TaskResult found = task->run(input_);
  const Report& report = found.reports.at(0);
  EXPECT_THAT(report.note, testing::EndsWith(" No tokens, and so no attentive probe: magnitudes (image)."));
  std::vector<std::string> lines;
  for (const Measurement& row : report.rows) lines.push_back(row.representation + ": " + row.method);
  EXPECT_THAT(lines,
              testing::ElementsAre("trained: redshift attentive", "trained: redshift mlp", "magnitudes: redshift mlp"));
  const Measurement &attentive = report.rows[0], &mlp = report.rows[1];
  EXPECT_GT(value_of(attentive, "R²"), value_of(mlp, "R²") + 0.3);
  EXPECT_EQ(attentive.n_train, 599);
  EXPECT_EQ(attentive.n_test, 199);
  EXPECT_TRUE(std::isfinite(attentive.values.at(0).seed_error));
  EXPECT_EQ(found.predictions.size(), 6U);
}

TEST_F(OnTokens, NothingIsMeasuredWithoutThem) {
  input_.representations.erase(input_.representations.begin());
  const auto found = reports("redshift", "probes = [\"attentive\"]", input_);
  EXPECT_TRUE(found.at(0).rows.empty());
  EXPECT_THAT(found[0].note, testing::EndsWith("No tokens, and so no attentive probe: magnitudes (image)."));
}

TEST(RetrievalTask, RanksPartnersInBothDirections) {
  const auto found = reports("retrieval", "", paired_input());
  ASSERT_EQ(found.size(), 2U);
  ASSERT_EQ(found[0].rows.size(), 2U);  // a representation without a common space has no partners
  EXPECT_EQ(found[0].rows[0].modality, "image → spectrum");
  EXPECT_EQ(found[0].rows[1].modality, "spectrum → image");
  for (const Measurement& row : found[0].rows) {
    EXPECT_EQ(value_of(row, "recall@1"), 0.5);
    EXPECT_EQ(value_of(row, "recall@5"), 1.0);
    // Two partners rank first; the swapped ones are perpendicular, behind one match and level with another.
    EXPECT_EQ(value_of(row, "median rank"), 2.0);
  }
}

TEST(RetrievalTask, StandardisesColumnsThatHaveUnits) {
  TaskInput input = paired_input();
  input.representations[1] = input.representations[0];
  Representation& spectrum = input.representations[1];
  spectrum.modality = "spectrum";
  for (Vectors* vectors : {&spectrum.train, &spectrum.test}) {
    for (float& value : vectors->values.values) value += 100.0F;
  }
  const auto share_right = [&] { return value_of(reports("retrieval", "", input)[0].rows.at(0), "recall@1"); };
  EXPECT_LT(share_right(), 1.0);
  input.representations[0].has_units = input.representations[1].has_units = true;
  EXPECT_EQ(share_right(), 1.0);
}

TEST(RetrievalTask, AgreementLeavesTheObjectItselfOut) {
  const auto found = reports("retrieval", "", paired_input());
  for (const Measurement& row : found[1].rows) {
    // Of the three others, one has the same redshift.
    EXPECT_NEAR(value_of(row, "agree@5"), 1.0 / 3.0, 1e-12) << row.representation;
  }
}

TEST(RetrievalTask, LeavesOutObjectsWithoutTheModality) {
  TaskInput input = paired_input();
  // Without the swapped objects only right pairs are left: object 2 lacks its image, object 3 its spectrum.
  remove(input.representations[0].test, {2});
  remove(input.representations[1].test, {3});
  const auto found = reports("retrieval", "", input);
  ASSERT_EQ(found[0].rows.size(), 2U);
  for (const Measurement& row : found[0].rows) {
    EXPECT_EQ(value_of(row, "recall@1"), 1.0);
    EXPECT_EQ(row.n_test, 2);
  }
  // Images 0, 1, 3: of the two others, one agrees with 0 and with 1, none with 3.
  EXPECT_EQ(found[1].rows[0].modality, "image → image");
  EXPECT_EQ(found[1].rows[0].n_test, 3);
  EXPECT_NEAR(value_of(found[1].rows[0], "agree@5"), 2.0 / 6.0, 1e-12);
}

TEST(RetrievalTask, CountsWhatIsNotFiniteAgainstTheObject) {
  TaskInput input = paired_input();
  input.representations[0].test.values.values[0] = INFINITY;
  const auto found = reports("retrieval", "", input);
  // Image 0 finds nothing and comes before every other image.
  EXPECT_EQ(value_of(found[0].rows[0], "recall@1"), 0.25);
  EXPECT_EQ(value_of(found[0].rows[1], "recall@1"), 0.0);
  // Of the three others of each image, only 2 and 3 agree.
  EXPECT_EQ(found[1].rows[0].modality, "image → image");
  EXPECT_NEAR(value_of(found[1].rows[0], "agree@5"), 2.0 / 12.0, 1e-12);
}

/// Masses of 10.1 and 10.5 differ by more than 0.3, but by less than 0.3 · (1 + mass).
TEST(RetrievalTask, OnlyRedshiftsAgreeRelatively) {
  TaskInput input = paired_input();
  input.test_labels["log_mass"] = {10.1, 10.1, 10.5, 10.5};
  const auto found = reports("retrieval", "labels = [\"log_mass\"]\ntolerances = [0.3]", input);
  for (const Measurement& row : found[1].rows) EXPECT_NEAR(value_of(row, "agree@5"), 1.0 / 3.0, 1e-12);
  EXPECT_THAT(found[1].note, testing::HasSubstr("log_mass: |Δ| < 0.3, as of 0.333 of all pairs of objects"));
}

/// A label that one object has leaves no pair that could agree.
TEST(RetrievalTask, AgreementNeedsTwoObjectsWithTheLabel) {
  TaskInput input = paired_input();
  input.test_labels["log_mass"] = {NAN, 10.1, NAN, NAN};
  const auto found = reports("retrieval", "labels = [\"redshift\", \"log_mass\"]", input);
  for (const Measurement& row : found.at(1).rows) EXPECT_EQ(row.method, "redshift");
  EXPECT_THAT(found[1].note, testing::HasSubstr("log_mass: fewer than two of the test objects have it."));
}

/// In each direction, for each label; by default less than a quarter of the deviation, here 0.045, is agreement.
TEST(RetrievalTask, MeasuresAgreementInEveryLabelAndDirection) {
  TaskInput input = paired_input();
  input.test_labels["log_mass"] = {10.1, NAN, 10.14, 10.5};
  const auto found = reports("retrieval", "labels = [\"redshift\", \"log_mass\"]", input);
  std::vector<std::string> lines;
  for (const Measurement& row : found.at(1).rows) {
    if (row.role == Role::model) lines.push_back(row.method + ": " + row.modality);
    if (row.method != "log_mass") continue;
    // Of three objects with a mass, two differ by 0.04: of the two others of each, none, one or one agrees.
    EXPECT_NEAR(value_of(row, "agree@5"), 2.0 / 6.0, 1e-12) << row.modality;
    EXPECT_EQ(row.n_test, 3);
  }
  EXPECT_THAT(lines, testing::ElementsAre("log_mass: image → image", "log_mass: image → spectrum",
                                          "log_mass: spectrum → image", "log_mass: spectrum → spectrum",
                                          "redshift: image → image", "redshift: image → spectrum",
                                          "redshift: spectrum → image", "redshift: spectrum → spectrum"));
  EXPECT_THAT([] { testing_support::make_task("retrieval", "labels = [\"z\"]\ntolerances = [0.1, 0.2]"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("'tolerances' must have one number for each label")));
}

/// Directions at 0°, 10°, 60° (training) and 15° (test); object 12 lacks the modality.
TaskInput directions() {
  TaskInput input;
  const auto at = [](double degrees) {
    const double angle = degrees * M_PI / 180.0;
    return std::vector<float>{static_cast<float>(3.0 * std::cos(angle)), static_cast<float>(3.0 * std::sin(angle))};
  };
  Representation one{"aligned", "spectrum", true, Role::model, {}, of_all({1, 2, at(15.0)})};
  for (const double degrees : {0.0, 10.0, 60.0}) one.train.values.append({1, 2, at(degrees)});
  one.train.objects = {0, 1, 3};
  input.representations = {one};
  input.representations.push_back(one);
  input.representations.back().role = Role::floor;
  input.train_ids = {10, 11, 12, 13};
  input.test_ids = {14};
  input.train_labels["redshift"] = {0.0, 0.1, 0.2, 0.3};
  input.test_labels["redshift"] = {NAN};
  return input;
}

TEST(NeighboursTask, ListsThemByFallingCosine) {
  const auto found = reports("neighbours", "k = 2", directions());
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].rows.size(), 2U);
  EXPECT_EQ(found[0].rows[0].method, "14 → 11");
  EXPECT_EQ(found[0].rows[1].method, "14 → 10");
  EXPECT_NEAR(value_of(found[0].rows[0], "cosine"), std::cos(5.0 * M_PI / 180.0), 1e-6);
  EXPECT_NEAR(value_of(found[0].rows[1], "cosine"), std::cos(15.0 * M_PI / 180.0), 1e-6);
  EXPECT_TRUE(std::isnan(value_of(found[0].rows[0], "redshift")));
  EXPECT_EQ(value_of(found[0].rows[0], "its redshift"), 0.1);
  EXPECT_EQ(found[0].note, "nearest first, among 4 objects with this modality");
}

TEST(NeighboursTask, ListsAsManyObjectsAsAsked) {
  const auto all = reports("neighbours", "k = 9\nqueries = \"all\"\nreferences = true", directions());
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].rows.size(), 4U * 3U);
  const auto few = reports("neighbours", "k = 1\nqueries = \"all\"\nlimit = 2", directions());
  ASSERT_EQ(few[0].rows.size(), 2U);
  EXPECT_EQ(few[0].rows[1].method, "11 → 14");
  EXPECT_EQ(few[0].note, "nearest first, among 4 objects with this modality; the first 2 of 4 are listed");
  EXPECT_TRUE(reports("neighbours", "modalities = [\"image\"]", directions()).empty());
}

TEST(NeighboursTask, ListsNoneThatIsNotFinite) {
  TaskInput input = directions();
  input.representations[0].train.values.values[2] = INFINITY;  // object 11
  const auto found = reports("neighbours", "k = 9\nqueries = \"all\"", input);
  std::vector<std::string> listed;
  for (const Measurement& row : found.at(0).rows) listed.push_back(row.method);
  EXPECT_THAT(listed, testing::ElementsAre("10 → 14", "10 → 13", "13 → 14", "13 → 10", "14 → 10", "14 → 13"));
}

}  // namespace
}  // namespace astroclip
