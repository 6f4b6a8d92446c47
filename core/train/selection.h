#pragma once

#include <cstdint>
#include <vector>

#include "experiment/experiment.h"
#include "nn/module.h"
#include "record/metrics.h"

namespace astroclip::train {

/// Which of a stage's validations was the best, and whether the wait for a better one is over.
class Selection {
 public:
  explicit Selection(const ValidationSpec& spec);

  /// Whether `step` finished steps call for a validation that has not been.
  bool due(int64_t step, int64_t steps) const;
  /// Takes note of a validation; true when it is the best so far. A value that is not finite never is, nor the one
  /// before the first step: a loss that keeps statistics of what it has seen measures in other units then. Throws Error
  /// naming the metrics there are when the one that decides is not among them.
  bool offer(int64_t step, const record::Metrics& metrics);
  /// As many validations as `patience` allows have brought nothing better.
  bool exhausted() const { return spec_.patience > 0 && at(fruitless) >= static_cast<double>(spec_.patience); }
  bool has_best() const { return at(best_step) >= 0.0; }
  int64_t step_of_best() const { return static_cast<int64_t>(at(best_step)); }
  double best_value() const { return at(best); }
  double last_value() const { return at(last); }
  /// For checkpoints.
  std::vector<NamedTensor> state() const { return {{"selection", state_, false}}; }

 private:
  enum Slot : size_t { best, best_step, last, last_step, fruitless, slots };
  double at(Slot slot) const { return state_.data_as<double>()[slot]; }

  ValidationSpec spec_;
  Tensor state_;  ///< f64 [slots] on the host; steps are −1 where there is none
};

}  // namespace astroclip::train
