#include "probe/bootstrap.h"

#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "base/threads.h"

namespace astroclip::probe {

namespace {

/// Each metric's mean over the statistics.
std::vector<Metric> mean_over_seeds(const std::vector<Statistic>& statistics, std::span<const int64_t> objects) {
  std::vector<Metric> mean = statistics.front()(objects);
  for (size_t seed = 1; seed < statistics.size(); ++seed) {
    const std::vector<Metric> more = statistics[seed](objects);
    for (size_t i = 0; i < mean.size(); ++i) mean[i].value += more[i].value;
  }
  for (Metric& metric : mean) metric.value /= static_cast<double>(statistics.size());
  return mean;
}

/// Of a sample, with n − 1; NaN for fewer than two values.
double standard_deviation(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  if (values.size() < 2) return std::nan("");
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (count - 1.0));
}

}  // namespace

std::vector<Metric> with_errors(const std::vector<Statistic>& statistics, int64_t count, const TaskInput& input) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), int64_t{0});
  std::vector<Metric> metrics = mean_over_seeds(statistics, all);
  std::vector<std::vector<double>> by_resample(metrics.size(),
                                               std::vector<double>(static_cast<size_t>(input.resamples)));
  parallel_for(input.resamples, 1, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> drawn(all.size());
    for (int64_t resample = begin; resample < end; ++resample) {
      Rng rng(input.seed, RngStream::bootstrap, static_cast<uint64_t>(resample));
      for (int64_t& object : drawn) object = rng.below(count);
      const std::vector<Metric> found = mean_over_seeds(statistics, drawn);
      for (size_t i = 0; i < found.size(); ++i) by_resample[i][static_cast<size_t>(resample)] = found[i].value;
    }
  });
  std::vector<std::vector<double>> by_seed(metrics.size());
  for (const Statistic& statistic : statistics) {
    const std::vector<Metric> found = statistic(all);
    for (size_t i = 0; i < found.size(); ++i) by_seed[i].push_back(found[i].value);
  }
  for (size_t i = 0; i < metrics.size(); ++i) {
    metrics[i].object_error = standard_deviation(by_resample[i]);
    metrics[i].seed_error = standard_deviation(by_seed[i]) / std::sqrt(static_cast<double>(statistics.size()));
  }
  return metrics;
}

}  // namespace astroclip::probe
