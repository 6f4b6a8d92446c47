#include "probe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace astroclip::probe {
namespace {

using Values = std::vector<double>;

TEST(Median, OfOddAndEvenCountsAndOfNothing) {
  EXPECT_EQ(median({3, 1, 2}), 2.0);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_TRUE(std::isnan(median({})));
}

TEST(RSquared, ComparesTheErrorsWithTheSpread) {
  // Σ (2, 0, −2, 0)² = 8 of Σ (−3, −1, 1, 3)² = 20.
  EXPECT_DOUBLE_EQ(r_squared(Values{3, 3, 3, 7}, Values{1, 3, 5, 7}), 0.6);
  EXPECT_EQ(r_squared(Values{1, 3, 5, 7}, Values{1, 3, 5, 7}), 1.0);
}

TEST(Errors, OfRedshiftsAreScaledByOnePlusTruth) {
  EXPECT_THAT(errors(Values{1.5, 0.0}, Values{1.0, 0.25}), testing::ElementsAre(0.5, -0.25));
  EXPECT_THAT(redshift_errors(Values{1.5, 0.0}, Values{1.0, 0.25}), testing::ElementsAre(0.25, -0.2));
}

TEST(Errors, OfEitherSignCountTowardsOutliersAndTheAbsoluteMean) {
  const Values some = {0.149, -0.151, 0.16, 0.0, -0.051};
  EXPECT_DOUBLE_EQ(outlier_fraction(some, 0.15), 2.0 / 5);
  EXPECT_DOUBLE_EQ(outlier_fraction(some, 0.05), 4.0 / 5);
  EXPECT_NEAR(mean_error(some), 0.107 / 5, 1e-15);
  EXPECT_NEAR(mean_absolute_error(some), 0.511 / 5, 1e-15);
}

TEST(IqrDeviation, InterpolatesQuartiles) {
  // The quartiles of 0, 1, 2, 3 are 0.75 and 2.25.
  EXPECT_NEAR(iqr_deviation({3, 1, 0, 2}), 1.5 / 1.349, 1e-12);
  EXPECT_EQ(iqr_deviation({7}), 0.0);
  EXPECT_TRUE(std::isnan(iqr_deviation({})));
}

TEST(IsRedshift, ByName) {
  for (const char* name : {"redshift", "desi_redshift", "z", "Z_HP", "z_spec", "PhotoZ"})
    EXPECT_TRUE(is_redshift(name));
  for (const char* name : {"log_mass", "mag_z", "Z_MW", "zwarn", "dust"}) EXPECT_FALSE(is_redshift(name));
}

TEST(Nmad, IsUnmovedByAnOutlierAndByAShift) {
  // Deviations from the median 10: 2, 1, 0, 1, 90, whose median is 1.
  EXPECT_NEAR(nmad({8, 9, 10, 11, 100}), 1.4826, 1e-12);
}

}  // namespace
}  // namespace astroclip::probe
