#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "io/output/output_file.h"

namespace astroclip::record {

using Metrics = std::vector<std::pair<std::string, double>>;

/// A loss, its terms and its roots, read from the device: "loss" first.
Metrics metrics_of(const LossValue& value);

/// What of a loss is read from the device, an element each: the total, terms, mean squares of roots.
std::vector<Tensor> numbers_of(const LossValue& value);
/// The loss without them, and without the tape behind them.
LossValue without_numbers(const LossValue& value);

/// Means of a loss and its terms over batches, and its roots over all objects.
class MetricMeans {
 public:
  /// Gives the metrics of this batch.
  Metrics add(const LossValue& value);
  /// The same with the numbers that numbers_of names.
  Metrics add(const LossValue& value, std::span<const double> numbers);
  /// Adds the roots alone.
  void add_roots(const LossValue& value);
  Metrics means() const;

 private:
  void add_roots(const LossValue& value, std::span<const double> mean_squares);

  struct Root {
    std::string name;
    double squares = 0.0, objects = 0.0;
  };
  Metrics sums_;
  std::vector<Root> roots_;
  double count_ = 0.0;
};

/// The metrics of one step.
struct MetricsLine {
  std::string stage;
  int64_t step = 0;  ///< completed steps of the stage
  Metrics values;
};

/// The metrics of a run, one JSON object a line: {"stage": …, "step": …, "time": …, "loss": …}. A resumed run first
/// drops the lines after its checkpoint, so that every step appears once.
class MetricsFile {
 public:
  /// Keeps the lines of stages before `stage`, and of that stage up to `step`. Throws Error naming the path.
  MetricsFile(const std::string& path, const std::vector<std::string>& stages, int64_t stage, int64_t step);

  /// Leaves out values that are not finite.
  void write(const MetricsLine& line);
  /// Returns when everything written is on disk.
  void sync() { file_.sync(); }

 private:
  io::OutputFile file_;
};

/// Calls `use` with each line of a metrics file, in order. Skips invalid lines, such as one cut off by a kill.
void read_metrics(const std::string& path, const std::function<void(const MetricsLine&)>& use);

}  // namespace astroclip::record
