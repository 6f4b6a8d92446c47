#include "probe/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "io/weights/safetensors.h"
#include "probe/metrics.h"
#include "probe/predict.h"
#include "support/fixtures.h"
#include "support/message_of.h"

namespace astroclip::probe {
namespace {

using testing::ElementsAre;

TEST(Standardiser, TakesMeansAndDeviationsOfTheRowsItIsFittedOn) {
  const Standardiser standardise({2, 2, {1, 7, 3, 7}});  // columns: mean 2, deviation 1; constant 7
  EXPECT_THAT(standardise({1, 2, {4, 9}}).values, ElementsAre(2, 0));
  EXPECT_THAT(
      [&] {
        standardise({2, 1, {4, 9}});
      },
      testing::ThrowsMessage<Error>("[standardise] expected 2 columns, found 1"));
}

TEST(Labelled, LeavesOutRowsWithoutRepresentationOrLabel) {
  const Vectors vectors{{3, 1, {1, 3, 5}}, {0, 2, 3}};
  const std::vector<double> labels = {0.1, 0.2, NAN, 0.4}, others = {1, 2, 3, INFINITY};
  const Sample sample = labelled(vectors, {&labels}, {10, 11, 12, 13});
  EXPECT_THAT(sample.features.values, ElementsAre(1, 5));
  EXPECT_THAT(sample.labels, ElementsAre(0.1, 0.4));
  EXPECT_THAT(sample.ids, ElementsAre(10, 13));
  EXPECT_THAT(sample.objects, ElementsAre(0, 3));
  const Sample both = labelled(vectors, {&labels, &others}, {10, 11, 12, 13});
  EXPECT_THAT(both.features.values, ElementsAre(1));
  EXPECT_THAT(both.labels, ElementsAre(0.1, 1));
  EXPECT_EQ(both.outputs, 2);
}

TEST(Standardiser, OfTheWholeTakesOneMeanAndOneDeviation) {
  const Matrix rows{2, 2, {1, 2, 3, 6}};  // mean 3, variance (4 + 1 + 0 + 9) / 3
  const float unit = static_cast<float>(std::sqrt(3.0 / 14.0));
  EXPECT_THAT(Standardiser(rows, Standardisation::whole)(rows).values, ElementsAre(-2 * unit, -unit, 0, 3 * unit));
  EXPECT_EQ(Standardiser(rows, Standardisation::none)(rows).values, rows.values);
}

TEST(Predict, NamesALabelThatTheTaskDidNotAskFor) {
  const Representation from{"aligned", "image", false, Role::model, of_all({2, 1, {0, 1}}), of_all({2, 1, {0, 1}})};
  EXPECT_THAT([&] { (void)predict(from, {}, "age", {}); },
              testing::ThrowsMessage<Error>("the task's labels() do not name 'age', which it predicts"));
}

/// Four training and two test objects on a line, with labels as given.
TaskInput on_a_line(const std::vector<double>& train, const std::vector<double>& test) {
  TaskInput input;
  input.representations = {
      {"aligned", "image", false, Role::model, of_all({4, 1, {0, 1, 2, 3}}), of_all({2, 1, {0, 3}})}};
  input.train_labels["bar"] = train;
  input.test_labels["bar"] = test;
  input.train_ids = {1, 2, 3, 4};
  input.test_ids = {5, 6};
  return input;
}

std::string refusal(const std::vector<double>& train, const std::vector<double>& test, Quantity::Kind kind) {
  const TaskInput input = on_a_line(train, test);
  return testing_support::message_of([&] {
    (void)predict(input.representations[0], input, {"bar", {"bar"}, kind}, {});
  });
}

TEST(Predict, RefusesLabelsThatTellNothingApart) {
  using enum Quantity::Kind;
  EXPECT_EQ(refusal({0.5, 0.5, 0.5, 0.5}, {0.5, 1}, numbers),
            "label 'bar': all 4 training objects with the representation have the value 0.5; there is nothing to tell "
            "apart");
  EXPECT_EQ(refusal({2, NAN, 2, 2}, {1, 2}, classes),
            "label 'bar': all 3 training objects with the representation have the class 2; there is nothing to tell "
            "apart");
  EXPECT_EQ(refusal({1, 1, 1, 1}, {1, 1}, shares),
            "question 'bar': all 4 training objects with the representation have the same shares of its answers; there "
            "is nothing to tell apart");
  for (const auto kind : {numbers, classes, shares}) {
    EXPECT_EQ(refusal({NAN, NAN, NAN, 1}, {1, 2}, kind),
              "label 'bar': 1 of 4 training objects and 2 of 2 test objects have the label and the representation "
              "'aligned' of 'image'; two of each are needed");
  }
}

TEST(Predict, TakesEachValueOfAClassForAnAnswer) {
  const TaskInput input = on_a_line({7, 7, 3, 3}, {7, 9});
  Options options;
  options.probes = {"knn", "ridge", "logistic"};
  options.k = 1;
  const auto found = predict(input.representations[0], input, {"bar", {"bar"}, Quantity::Kind::classes}, options);
  ASSERT_EQ(found.size(), 3U);
  for (const BySeed& of_probe : found) {
    const Prediction& one = of_probe.at(0);
    EXPECT_THAT(one.outputs, ElementsAre("3", "7", "9"));
    EXPECT_THAT(one.truth, ElementsAre(0, 1, 0, 0, 0, 1));
    EXPECT_GT(one.predicted[1], 0.5) << one.method;
    EXPECT_GT(one.predicted[3], 0.5) << one.method;
    EXPECT_LT(one.predicted[5], 0.1) << one.method;
  }
}

TEST(Knn, PublishedRegressionOf64Neighbours) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("knn.safetensors"));
  const auto read = [&](const char* name) { return file.read(name, DType::f64, Device::host()); };
  const auto matrix = [&](const char* name) {
    const Tensor tensor = read(name);
    return Matrix{tensor.size(0), tensor.size(1), tensor.to_floats()};
  };
  const auto neighbours = search::nearest(matrix("test_x"), matrix("train_x"), 64);
  const std::vector<double> targets = read("train_y").to_doubles(), expected = read("prediction").to_doubles();
  EXPECT_THAT(knn_means(neighbours, targets, 3), testing::Pointwise(testing::DoubleNear(1e-6), expected));
}

TEST(Knn, WeighsByInverseDistanceAndExactMatchesDecideAlone) {
  const Sample train{{4, 1, {0, 1, 4, 4}}, {10, 20, 30, 50}, {}};
  const std::vector<double> predicted = fit_knn(train, 3)->predict({2, 1, {2, 4}});
  EXPECT_DOUBLE_EQ(predicted[0], (20 / 1.0 + 10 / 2.0 + 30 / 2.0) / 2.0);
  EXPECT_DOUBLE_EQ(predicted[1], 40.0);
}

std::vector<double> values_of(const Probe& probe, const std::string& name) {
  const std::vector<NamedTensor> tensors = probe.tensors();
  return std::ranges::find(tensors, name, &NamedTensor::name)->tensor.to_doubles();
}

TEST(Ridge, OfOneColumnIsTheShrunkenSlope) {
  // About the means 2 and 3: Σ xy = 5, Σ x² = 2; slope 5 / (2 + 1).
  const Sample train{{3, 1, {1, 2, 3}}, {1, 2, 6}, {}};
  const auto probe = fit_ridge(train, 1.0);
  EXPECT_THAT(probe->predict({2, 1, {2, 4}}),
              testing::Pointwise(testing::DoubleNear(1e-12), std::vector{3.0, 3.0 + 10.0 / 3.0}));
  EXPECT_NEAR(values_of(*probe, "weight")[0], 5.0 / 3.0, 1e-12);
  EXPECT_NEAR(values_of(*probe, "bias")[0], 3.0 - 10.0 / 3.0, 1e-12);
}

/// At the least |y − Xw − b|² + λ|w|² residuals sum to zero and Xᵀ(y − Xw − b) = λw: with more columns than rows, too.
TEST(Ridge, IsAtTheLeast) {
  Rng rng(3, RngStream::tests);
  Sample train{{5, 8}, {}, {}};
  for (int i = 0; i < 40; ++i) train.features.values.push_back(static_cast<float>(rng.normal()));
  for (int i = 0; i < 5; ++i) train.labels.push_back(rng.normal());
  const auto probe = fit_ridge(train, 0.5);
  const std::vector<double> residuals = errors(train.labels, probe->predict(train.features));
  const std::vector<double> weight = values_of(*probe, "weight");
  EXPECT_NEAR(mean_error(residuals), 0.0, 1e-12);
  for (int64_t column = 0; column < 8; ++column) {
    double sum = 0.0;
    for (int64_t i = 0; i < 5; ++i) {
      sum += double{train.features.row(i)[static_cast<size_t>(column)]} * residuals[static_cast<size_t>(i)];
    }
    EXPECT_NEAR(sum, 0.5 * weight[static_cast<size_t>(column)], 1e-12);
  }
}

TEST(MlpProbe, LearnsWhatIsNotLinear) {
  Rng rng(5, RngStream::tests);
  const auto sample = [&](int64_t count) {
    Sample made{{count, 1}, {}, {}};
    for (int64_t i = 0; i < count; ++i) {
      const double x = rng.uniform(-1.7, 1.7);
      made.features.values.push_back(static_cast<float>(x));
      made.labels.push_back(100.0 + std::abs(x));
    }
    return made;
  };
  const Sample train = sample(192), test = sample(64);
  const MlpOptions options{.hidden = {16}, .epochs = 20, .batch = 16, .lr = 1e-2, .dropout = 0.0};
  const auto probe = fit_mlp(train, options, "probe", 1);
  const std::vector<double> predicted = probe->predict(test.features);
  EXPECT_GT(r_squared(predicted, test.labels), 0.9);
  EXPECT_LT(r_squared(fit_ridge(train, 1.0)->predict(test.features), test.labels), 0.3);
  EXPECT_NEAR(values_of(*probe, "label_mean")[0], 100.85, 0.15);
  EXPECT_EQ(fit_mlp(train, options, "probe", 1)->predict(test.features), predicted);
  EXPECT_NE(fit_mlp(train, options, "probe", 2)->predict(test.features), predicted);
}

/// Beyond its best epoch the network fits noise: the objects set apart stop it there.
TEST(MlpProbe, KeepsItsBestEpochOnObjectsSetApart) {
  Rng rng(6, RngStream::tests);
  const auto sample = [&](int64_t count) {
    Sample made{{count, 8}, {}, {}};
    for (int64_t i = 0; i < count; ++i) {
      for (int column = 0; column < 8; ++column) made.features.values.push_back(static_cast<float>(rng.normal()));
      made.labels.push_back(rng.normal());
    }
    return made;
  };
  const Sample train = sample(60), test = sample(400);
  MlpOptions options{.hidden = {64}, .epochs = 60, .batch = 10, .lr = 1e-2, .dropout = 0.0};
  const auto error = [&] {
    const auto probe = fit_mlp(train, options, "probe", 1);
    return mean_absolute_error(errors(probe->predict(test.features), test.labels));
  };
  const double last = error();
  options.validation = 0.3;
  EXPECT_LT(error(), 0.9 * last);
  options.keeps_best = false;
  EXPECT_GT(error(), 0.9 * last);
}

}  // namespace
}  // namespace astroclip::probe
