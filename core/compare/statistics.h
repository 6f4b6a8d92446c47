#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace astroclip::compare {

/// Stands for what too few values do not give.
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double mean(std::span<const double> values);

/// s/√n with the sample deviation s (n − 1); NaN for fewer than two values.
double standard_error(std::span<const double> values);

struct Interval {
  double low, high;
};

/// Percentile bootstrap interval of the mean (Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13)
/// from 10,000 resamples that are always the same; NaN for fewer than two values. With few values it is too narrow: it
/// never leaves the range of the values.
Interval bootstrap_interval(std::span<const double> values, double level);

/// Two-sided p of the one-sample t test that the mean is zero (Student 1908, "The probable error of a mean"), which for
/// differences of pairs is the paired t test. NaN for fewer than two values and where all are equal.
double t_test(std::span<const double> differences);

/// Holm's step-down correction (Holm 1979, "A simple sequentially rejective multiple test procedure"): adjusted p of
/// each test of one family; NaN stays NaN and is not counted.
std::vector<double> holm(const std::vector<double>& p);

}  // namespace astroclip::compare
