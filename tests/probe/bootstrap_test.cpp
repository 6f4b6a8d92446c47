#include "probe/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/rng.h"

namespace astroclip::probe {
namespace {

double mean_of(const std::vector<double>& values, std::span<const int64_t> objects) {
  double sum = 0.0;
  for (const int64_t object : objects) sum += values[static_cast<size_t>(object)];
  return sum / static_cast<double>(objects.size());
}

class Bootstrap : public testing::Test {
 protected:
  void SetUp() override {
    Rng rng(8, RngStream::tests);
    for (int i = 0; i < 100; ++i) values_.push_back(5.0 + 2.0 * rng.normal());
    input_.resamples = 1000;
  }

  std::vector<Metric> estimate(const std::vector<double>& shifts) const {
    std::vector<Statistic> statistics;
    for (const double shift : shifts) {
      statistics.emplace_back([this, shift](std::span<const int64_t> objects) {
        return std::vector<Metric>{{"mean", mean_of(values_, objects) + shift}};
      });
    }
    return with_errors(statistics, std::ssize(values_), input_);
  }

  std::vector<double> values_;
  TaskInput input_;
};

/// Of a mean the bootstrap's standard error tends to √(Σ (x − mean)² / n²).
TEST_F(Bootstrap, GivesTheStandardErrorOfAMean) {
  const double mean = std::accumulate(values_.begin(), values_.end(), 0.0) / 100.0;
  double squares = 0.0;
  for (const double value : values_) squares += (value - mean) * (value - mean);
  const Metric found = estimate({0.0}).at(0);
  EXPECT_NEAR(found.value, mean, 1e-12);
  EXPECT_NEAR(found.object_error, std::sqrt(squares) / 100.0, 0.1 * std::sqrt(squares) / 100.0);
  EXPECT_TRUE(std::isnan(found.seed_error));
  EXPECT_EQ(estimate({0.0}).at(0).object_error, found.object_error);
}

/// Shifts −1, 0 and 1 have the mean 0 and the standard deviation 1; objects vary as for one of them.
TEST_F(Bootstrap, AveragesOverSeeds) {
  const Metric one = estimate({0.0}).at(0), three = estimate({-1.0, 0.0, 1.0}).at(0);
  EXPECT_NEAR(three.value, one.value, 1e-12);
  EXPECT_NEAR(three.object_error, one.object_error, 1e-12);
  EXPECT_NEAR(three.seed_error, 1.0 / std::sqrt(3.0), 1e-12);
}

TEST_F(Bootstrap, WithoutResamplesThereIsNoErrorOverObjects) {
  input_.resamples = 0;
  EXPECT_TRUE(std::isnan(estimate({0.0}).at(0).object_error));
}

}  // namespace
}  // namespace astroclip::probe
