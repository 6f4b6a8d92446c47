#include "compare/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

#include "base/rng.h"

namespace astroclip::compare {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_error(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  if (values.size() < 2) return nan;
  const double centre = mean(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / (count - 1.0) / count);
}

Interval bootstrap_interval(std::span<const double> values, double level) {
  constexpr int resamples = 10000;
  if (values.size() < 2) return {nan, nan};
  Rng rng(0, RngStream::bootstrap);
  std::vector<double> means(resamples);
  for (double& resampled : means) {
    double sum = 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      sum += values[static_cast<size_t>(rng.below(static_cast<int64_t>(values.size())))];
    }
    resampled = sum / static_cast<double>(values.size());
  }
  std::ranges::sort(means);
  const double tail = 0.5 * (1.0 - level);
  const auto at = [&](double share) { return means[static_cast<size_t>(std::lround(share * (resamples - 1)))]; };
  return {at(tail), at(1.0 - tail)};
}

double t_test(std::span<const double> differences) {
  const double error = standard_error(differences);
  if (!(error > 0.0)) return nan;
  const boost::math::students_t_distribution<double> student(static_cast<double>(differences.size() - 1));
  return 2.0 * boost::math::cdf(boost::math::complement(student, std::abs(mean(differences)) / error));
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) order.push_back(i);
  }
  std::ranges::sort(order, {}, [&](size_t i) { return p[i]; });
  std::vector<double> adjusted(p.size(), nan);
  double largest = 0.0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(order.size() - rank) * p[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace astroclip::compare
