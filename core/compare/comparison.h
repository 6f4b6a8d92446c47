#pragma once

#include <string>
#include <vector>

#include "compare/measured_run.h"
#include "compare/statistics.h"

namespace astroclip::compare {

/// One configuration and one metric.
struct Cell {
  size_t seeds = 0;
  double mean = 0.0;          ///< over seeds; of a metric that should be near zero, of its absolute values
  double error = 0.0;         ///< standard error over seeds
  double object_error = 0.0;  ///< mean over seeds of the standard error over test objects; NaN: not known
  bool is_best = false;       ///< no configuration has a better mean
  // Against the baseline, paired by seed; NaN without one or with fewer than two common seeds.
  size_t pairs = 0;
  double difference = 0.0;
  Interval interval = {};  ///< 95 %
  double p = 0.0;          ///< paired t test
  double p_holm = 0.0;     ///< corrected over the configurations compared in this measure
};

struct Comparison {
  std::vector<std::string> configurations;
  std::vector<std::string> measures;     ///< "|bias image knn|" where absolute values are compared
  std::string baseline;                  ///< "" for none
  std::vector<std::vector<Cell>> cells;  ///< [configuration][measure]
  /// One for each run made from other data or by other code than the first.
  std::vector<std::string> unlike;
};

struct Request {
  std::string baseline;
  /// With * and ? as wildcards, found anywhere in a metric's name; none: the first metric of each row of a report.
  std::vector<std::string> patterns;
};

/// Groups runs that differ only in their seed and compares the metrics that all have. Throws Error when two runs have
/// the same configuration and seed, and when the baseline or a pattern matches nothing.
Comparison compare(const std::vector<MeasuredRun>& runs, const Request& request);

}  // namespace astroclip::compare
