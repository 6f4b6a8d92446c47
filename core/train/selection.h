#pragma once

#include <cstdint>
#include <string>

#include "config/value.h"
#include "experiment/experiment.h"
#include "record/metrics.h"

namespace astroclip::train {

/// Which of a stage's validations was the best, and whether the wait for a better one is over.
class Selection {
 public:
  explicit Selection(const ValidationSpec& spec) : spec_(spec) {}

  /// Whether `step` finished steps call for a validation that has not been.
  bool due(int64_t step, int64_t steps) const;
  /// Takes note of a validation; true when it is the best so far. A value that is not finite never is, nor the one
  /// before the first step: a loss that keeps statistics of what it has seen measures in other units then. Throws Error
  /// naming the metrics there are when the one that decides is not among them.
  bool offer(int64_t step, const record::Metrics& metrics);
  /// As many validations as `patience` allows have brought nothing better.
  bool exhausted() const { return spec_.patience > 0 && state_.no_improvement >= spec_.patience; }
  bool has_best() const { return state_.best_step >= 0; }
  int64_t step_of_best() const { return state_.best_step; }
  double best_value() const { return state_.best; }
  double last_value() const { return state_.last; }

  /// What has been decided so far, for a checkpoint.
  config::Table state() const;
  /// Goes on from there. Throws a ProblemList when it is not a selection's state; `place` is for messages.
  void restore(const config::Table& state, const std::string& place);

  struct State {
    double best = 0.0, last = 0.0;           ///< values of the metric
    int64_t best_step = -1, last_step = -1;  ///< −1: none yet
    int64_t no_improvement = 0;              ///< validations since the best
  };

 private:
  ValidationSpec spec_;
  State state_;
};

}  // namespace astroclip::train
