#include "search/knn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "io/weights/safetensors.h"
#include "support/fixtures.h"

namespace astroclip::search {
namespace {

using testing::ElementsAre;

std::vector<float> floats(const io::SafetensorsFile& file, const std::string& name) {
  return file.read(name, DType::f32, {DeviceKind::cpu}).to_floats();
}

TEST(Knn, PublishedRegressionOf64Neighbours) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("knn.safetensors"));
  const std::vector<float> train = floats(file, "train_x"), test = floats(file, "test_x");
  const std::vector<double> targets = file.read("train_y", DType::f64, {DeviceKind::cpu}).to_doubles();
  const std::vector<double> expected = file.read("prediction", DType::f64, {DeviceKind::cpu}).to_doubles();
  const std::vector<double> predicted = knn_regression(nearest({test, 16}, {train, 16}, 64), targets, 3);
  ASSERT_EQ(predicted.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(predicted[i], expected[i], 1e-6);
}

TEST(Knn, WeighsByInverseDistanceAndExactMatchesDecideAlone) {
  const std::vector<float> line = {0, 1, 4, 4};
  const std::vector<double> targets = {10, 20, 30, 50};
  const std::vector<float> queries = {2, 4};
  const auto found = nearest({queries, 1}, {line, 1}, 3);
  EXPECT_THAT(found.index, ElementsAre(1, 0, 2, 2, 3, 1));
  EXPECT_THAT(found.distance, ElementsAre(1, 2, 2, 0, 0, 3));
  const auto predicted = knn_regression(found, targets, 1);
  EXPECT_DOUBLE_EQ(predicted[0], (20 / 1.0 + 10 / 2.0 + 30 / 2.0) / 2.0);
  EXPECT_DOUBLE_EQ(predicted[1], 40.0);
}

TEST(Knn, AsksForNoMoreThanThereAre) {
  const std::vector<float> two = {0, 1};
  EXPECT_EQ(nearest({two, 1}, {two, 1}, 64).k, 2);
  EXPECT_THAT(
      [&] {
        nearest({two, 2}, {two, 1}, 1);
      },
      testing::ThrowsMessage<Error>("[nearest] rows must be equally wide and some, found 1 × 2 and 2 × 1"));
}

TEST(Ranks, CountWhatIsNearerThanThePartner) {
  // Directions 0°, 90°, 45°; the partners of rows 0 and 1 point elsewhere.
  const std::vector<float> queries = {1, 0, 0, 1, 1, 1};
  const std::vector<float> among = {0, 2, 3, 0.1F, 5, 5};
  EXPECT_THAT(partner_ranks({queries, 2}, {among, 2}), ElementsAre(3, 3, 1));
}

TEST(Ranks, AConstantEmbeddingRanksLast) {
  const std::vector<float> same = {1, 1, 1, 1, 1, 1};
  EXPECT_THAT(partner_ranks({same, 2}, {same, 2}), ElementsAre(3, 3, 3));
}

TEST(Standardised, UsesTheColumnsOfTheReference) {
  const std::vector<float> reference = {1, 7, 3, 7};  // columns: mean 2, deviation 1; constant 7
  const std::vector<float> rows = {4, 9};
  EXPECT_THAT(standardised({rows, 2}, {reference, 2}), ElementsAre(2, 0));
}

TEST(UnitRows, KeepAZeroRow) {
  const std::vector<float> rows = {3, 4, 0, 0};
  EXPECT_THAT(unit_rows({rows, 2}),
              ElementsAre(testing::FloatNear(0.6F, 1e-6F), testing::FloatNear(0.8F, 1e-6F), 0, 0));
}

}  // namespace
}  // namespace astroclip::search
