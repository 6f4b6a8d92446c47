#include "probe/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "io/weights/safetensors.h"
#include "probe/metrics.h"
#include "probe/predict.h"
#include "support/fixtures.h"

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
  const Sample sample = labelled(vectors, {0.1, 0.2, NAN, 0.4}, {10, 11, 12, 13});
  EXPECT_THAT(sample.features.values, ElementsAre(1, 5));
  EXPECT_THAT(sample.labels, ElementsAre(0.1, 0.4));
  EXPECT_THAT(sample.ids, ElementsAre(10, 13));
  EXPECT_THAT(sample.objects, ElementsAre(0, 3));
}

TEST(Predict, NamesALabelThatTheTaskDidNotAskFor) {
  const Representation from{"aligned", "image", false, Role::model, of_all({2, 1, {0, 1}}), of_all({2, 1, {0, 1}})};
  EXPECT_THAT([&] { (void)predict(from, {}, "age", {}); },
              testing::ThrowsMessage<Error>("the task's labels() do not name 'age', which it predicts"));
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
  for (size_t output = 0; output < 3; ++output) {
    std::vector<double> one;
    for (size_t i = output; i < targets.size(); i += 3) one.push_back(targets[i]);
    const std::vector<double> predicted = knn_regression(neighbours, one);
    ASSERT_EQ(predicted.size() * 3, expected.size());
    for (size_t i = 0; i < predicted.size(); ++i) EXPECT_NEAR(predicted[i], expected[i * 3 + output], 1e-6);
  }
}

TEST(Knn, WeighsByInverseDistanceAndExactMatchesDecideAlone) {
  const Sample train{{4, 1, {0, 1, 4, 4}}, {10, 20, 30, 50}, {}};
  const std::vector<double> predicted = knn(train, {{2, 1, {2, 4}}, {}, {}}, 3).predicted;
  EXPECT_DOUBLE_EQ(predicted[0], (20 / 1.0 + 10 / 2.0 + 30 / 2.0) / 2.0);
  EXPECT_DOUBLE_EQ(predicted[1], 40.0);
}

TEST(Ridge, OfOneColumnIsTheShrunkenSlope) {
  // About the means 2 and 3: Σ xy = 5, Σ x² = 2; slope 5 / (2 + 1).
  const Sample train{{3, 1, {1, 2, 3}}, {1, 2, 6}, {}};
  const Fit fit = ridge(train, {{2, 1, {2, 4}}, {}, {}}, 1.0);
  EXPECT_NEAR(fit.predicted[0], 3.0, 1e-12);
  EXPECT_NEAR(fit.predicted[1], 3.0 + 10.0 / 3.0, 1e-12);
  EXPECT_NEAR(fit.fitted.at("weight").values[0], 5.0 / 3.0, 1e-6);
  EXPECT_NEAR(fit.fitted.at("bias").values[0], 3.0 - 10.0 / 3.0, 1e-6);
}

/// At the least |y − Xw − b|² + λ|w|² residuals sum to zero and Xᵀ(y − Xw − b) = λw: with more columns than rows, too.
TEST(Ridge, IsAtTheLeast) {
  Rng rng(3, RngStream::tests);
  Sample train{{5, 8}, {}, {}};
  for (int i = 0; i < 40; ++i) train.features.values.push_back(static_cast<float>(rng.normal()));
  for (int i = 0; i < 5; ++i) train.labels.push_back(rng.normal());
  const Fit fit = ridge(train, train, 0.5);
  const std::vector<double> residuals = errors(train.labels, fit.predicted);
  EXPECT_NEAR(mean_error(residuals), 0.0, 1e-12);
  for (int64_t column = 0; column < 8; ++column) {
    double sum = 0.0;
    for (int64_t i = 0; i < 5; ++i) {
      sum += double{train.features.row(i)[static_cast<size_t>(column)]} * residuals[static_cast<size_t>(i)];
    }
    EXPECT_NEAR(sum, 0.5 * double{fit.fitted.at("weight").values[static_cast<size_t>(column)]}, 1e-6);
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
  const Fit fit = mlp(train, test, options, "probe", 1);
  EXPECT_GT(r_squared(fit.predicted, test.labels), 0.9);
  EXPECT_LT(r_squared(ridge(train, test, 1.0).predicted, test.labels), 0.3);
  EXPECT_NEAR(fit.fitted.at("label_mean").values[0], 100.85, 0.15);
  EXPECT_EQ(fit.fitted.at("layers.0.weight").rows, 16);
  EXPECT_EQ(mlp(train, test, options, "probe", 1).predicted, fit.predicted);
  EXPECT_NE(mlp(train, test, options, "probe", 2).predicted, fit.predicted);
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
    const std::vector<double> found = errors(mlp(train, test, options, "probe", 1).predicted, test.labels);
    return mean_absolute_error(found);
  };
  const double last = error();
  options.validation = 0.3;
  EXPECT_LT(error(), 0.9 * last);
}

}  // namespace
}  // namespace astroclip::probe
