#include "probe/spread.h"

#include <gtest/gtest.h>

#include <cmath>

namespace astroclip::probe {
namespace {

TEST(EffectiveRank, CountsDirectionsByTheirShare) {
  EXPECT_NEAR(effective_rank({3, 3, {2, 0, 0, 0, 2, 0, 0, 0, 2}}), 3.0, 1e-12);
  EXPECT_NEAR(effective_rank({3, 2, {1, 2, 2, 4, -1, -2}}), 1.0, 1e-6);
  // Singular values 3 and 1: shares 3/4 and 1/4.
  const double entropy = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
  EXPECT_NEAR(effective_rank({2, 3, {3, 0, 0, 0, 0, 1}}), std::exp(entropy), 1e-12);
  EXPECT_TRUE(std::isnan(effective_rank({2, 2, {1, 0, NAN, 1}})));
}

TEST(FeatureDeviation, IsOfDirectionsAlone) {
  EXPECT_NEAR(feature_deviation({3, 2, {1, 2, 2, 4, 0.5F, 1}}), 0.0, 1e-6);
  // Unit vectors along ±axes: each column is 0, 0, 1, −1 with deviation √½; √2 · √½ = 1.
  EXPECT_NEAR(feature_deviation({4, 2, {5, 0, -1, 0, 0, 2, 0, -3}}), 1.0, 1e-12);
  EXPECT_TRUE(std::isfinite(feature_deviation({2, 2, {0, 0, 1, 0}})));
}

}  // namespace
}  // namespace astroclip::probe
