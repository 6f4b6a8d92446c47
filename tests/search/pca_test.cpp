#include "search/pca.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace astroclip::search {
namespace {

/// Rows = Σ scale_i · z_i · direction_i + offset, with orthonormal directions made of disjoint blocks of columns.
struct Made {
  std::vector<double> scales = {9.0, 4.0, 1.5};
  Matrix matrix{400, 90};
  std::vector<double> factors;  // [rows, 3]

  Made() {
    Rng rng(11, RngStream::tests);
    const double unit = 1.0 / std::sqrt(30.0);
    for (int64_t row = 0; row < matrix.rows; ++row) {
      for (size_t i = 0; i < scales.size(); ++i) factors.push_back(rng.normal());
      for (int64_t column = 0; column < matrix.columns; ++column) {
        const auto block = static_cast<size_t>(column / 30);
        const double sign = column % 2 == 0 ? 1.0 : -1.0;
        const double signal = scales[block] * factors[static_cast<size_t>(row) * 3 + block] * unit * sign;
        matrix.values.push_back(static_cast<float>(signal + 5.0 + 0.01 * rng.normal()));
      }
    }
  }
};

TEST(Pca, FindsTheDirectionsThatTheDataWereMadeOf) {
  const Made made;
  const Pca pca = Pca::fit(made.matrix, 3, 1);
  ASSERT_EQ(pca.components(), 3);
  const std::vector<float> scores = pca.transform(made.matrix).values;
  for (size_t i = 0; i < 3; ++i) {
    // Sample variance differs from scale² by √(2/400) ≈ 7 %: five times that.
    EXPECT_NEAR(pca.variances()[i] / (made.scales[i] * made.scales[i]), 1.0, 0.35);
    double dot = 0, ss = 0, ff = 0;
    for (size_t row = 0; row < 400; ++row) {
      const double s = scores[row * 3 + i], f = made.factors[row * 3 + i];
      dot += s * f;
      ss += s * s;
      ff += f * f;
    }
    EXPECT_GT(std::abs(dot) / std::sqrt(ss * ff), 0.98) << "component " << i;
  }
}

TEST(Pca, ScoresHaveTheVarianceTheySayAndAreUncorrelated) {
  const Made made;
  const Pca pca = Pca::fit(made.matrix, 3, 1);
  const std::vector<float> scores = pca.transform(made.matrix).values;
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (size_t row = 0; row < 400; ++row) sum += double{scores[row * 3 + i]} * double{scores[row * 3 + j]};
      const double expected = i == j ? pca.variances()[i] : 0.0;
      EXPECT_NEAR(sum / 399.0, expected, 1e-3 * pca.variances()[0]);
    }
  }
}

/// The coefficients are the scores of unit vectors less those of the origin.
TEST(Pca, MakesTheLargestCoefficientOfAComponentPositive) {
  const Made made;
  for (const uint64_t seed : {1U, 2U, 3U}) {
    const Pca pca = Pca::fit(made.matrix, 3, seed);
    Matrix points{91, 90, std::vector<float>(static_cast<size_t>(91 * 90), 0.0F)};
    for (size_t i = 0; i < 90; ++i) points.values[(i + 1) * 90 + i] = 1.0F;
    const std::vector<float> scores = pca.transform(points).values;
    for (size_t component = 0; component < 3; ++component) {
      float largest = 0.0F;
      for (size_t i = 1; i <= 90; ++i) {
        const float coefficient = scores[i * 3 + component] - scores[component];
        if (std::abs(coefficient) > std::abs(largest)) largest = coefficient;
      }
      EXPECT_GT(largest, 0.1F) << "component " << component << ", seed " << seed;
    }
  }
}

TEST(Pca, GivesNoMoreComponentsThanThereAre) {
  EXPECT_EQ(Pca::fit({2, 3, {1, 2, 3, 4, 5, 7}}, 64, 1).components(), 1);
  EXPECT_THAT(
      [] {
        Pca::fit({1, 3, {1, 2, 3}}, 2, 1);
      },
      testing::ThrowsMessage<Error>("[pca] needs at least two rows, found 1"));
}

}  // namespace
}  // namespace astroclip::search
