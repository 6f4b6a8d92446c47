#include "search/knn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace astroclip::search {
namespace {

using testing::ElementsAre;

TEST(Nearest, AreInOrderAndEqualDistancesByRow) {
  const auto found = nearest({2, 1, {2, 4}}, {4, 1, {0, 1, 4, 4}}, 3);
  EXPECT_THAT(found.index, ElementsAre(1, 0, 2, 2, 3, 1));
  EXPECT_THAT(found.distance, ElementsAre(1, 2, 2, 0, 0, 3));
}

TEST(Nearest, AsksForNoMoreThanThereAre) {
  EXPECT_EQ(nearest({2, 1, {0, 1}}, {2, 1, {0, 1}}, 64).k, 2);
  EXPECT_THAT(
      [] {
        nearest({1, 2, {0, 1}}, {2, 1, {0, 1}}, 1);
      },
      testing::ThrowsMessage<Error>("[nearest] rows must be equally wide and some, found 1 × 2 and 2 × 1"));
}

TEST(Ranks, CountWhatIsNearerThanThePartner) {
  // Directions 0°, 90°, 45°; the partners of rows 0 and 1 point elsewhere.
  const Matrix queries{3, 2, {1, 0, 0, 1, 1, 1}}, among{3, 2, {0, 2, 3, 0.1F, 5, 5}};
  EXPECT_THAT(partner_ranks(queries, among), ElementsAre(3, 3, 1));
}

TEST(Ranks, AConstantEmbeddingRanksLast) {
  const Matrix same{3, 2, {1, 1, 1, 1, 1, 1}};
  EXPECT_THAT(partner_ranks(same, same), ElementsAre(3, 3, 3));
}

TEST(UnitRows, KeepAZeroRow) {
  EXPECT_THAT(unit_rows({2, 2, {3, 4, 0, 0}}).values,
              ElementsAre(testing::FloatNear(0.6F, 1e-6F), testing::FloatNear(0.8F, 1e-6F), 0, 0));
}

}  // namespace
}  // namespace astroclip::search
