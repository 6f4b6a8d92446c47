#include "map/placer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace astroclip::map {
namespace {

/// Rows and positions that are a smooth function of them.
struct Curved {
  Matrix rows{0, 8, {}}, positions{0, 2, {}};
  Curved(int64_t count, uint64_t seed) {
    Rng rng(seed, RngStream::tests);
    for (int64_t row = 0; row < count; ++row) {
      double values[8];
      for (double& value : values) {
        value = rng.normal();
        rows.values.push_back(static_cast<float>(0.1 * value));
      }
      positions.values.push_back(static_cast<float>(20.0 * std::tanh(values[0] + 0.5 * values[1]) + 5.0));
      positions.values.push_back(static_cast<float>(10.0 * values[2] * values[0]));
    }
    rows.rows = positions.rows = count;
  }
};

TEST(Placer, PlacesRowsItHasNotSeen) {
  const Curved fitted(4000, 1), others(500, 2);
  const Placer placer(fitted.rows, fitted.positions, {.steps = 3000});
  const Matrix placed = placer.place(others.rows);
  ASSERT_EQ(placed.rows, 500);
  double error = 0.0, spread = 0.0;
  for (size_t i = 0; i < placed.values.size(); ++i) {
    error += std::pow(double{placed.values[i]} - double{others.positions.values[i]}, 2);
    spread += std::pow(double{others.positions.values[i]} - (i % 2 == 0 ? 5.0 : 0.0), 2);
  }
  EXPECT_LT(std::sqrt(error / spread), 0.15);
  EXPECT_EQ(placer.place(others.rows).values, placed.values);
}

TEST(Placer, RefusesWhatDoesNotFit) {
  const Curved some(20, 1), fewer(19, 1);
  EXPECT_THAT([&] { Placer(some.rows, fewer.positions, {}); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("[placer]")));
  const Placer placer(some.rows, some.positions, {.steps = 1});
  EXPECT_THAT(
      [&] {
        placer.place({1, 3, {1, 2, 3}});
      },
      testing::ThrowsMessage<Error>("[placer] expected rows of 8 columns, found 3"));
}

TEST(PlaceAmong, IsTheMeanByInverseDistance) {
  const std::vector<float> positions = {0, 0, 3, 0, 0, 6, std::nanf(""), 0};
  // Cosines of distances 1/2, 1 and 1: weights 2, 1 and 1.
  const std::vector<Similar> near = {{0, 0.875}, {1, 0.5}, {2, 0.5}, {3, 0.9}};
  const auto place = place_among(positions, near);
  ASSERT_TRUE(place);
  EXPECT_NEAR((*place)[0], 0.75, 1e-6);
  EXPECT_NEAR((*place)[1], 1.5, 1e-6);
  EXPECT_EQ(place_among(positions, std::vector<Similar>{{0, 0.9}, {1, 1.0}, {2, 0.5}}), (std::array{3.0, 0.0}));
  EXPECT_FALSE(place_among(positions, std::vector<Similar>{{3, 1.0}}));
}

}  // namespace
}  // namespace astroclip::map
