#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/task.h"
#include "evaluate/measure.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "model/origins.h"
#include "record/metrics.h"

namespace astroclip::evaluate {

/// Runs the experiment's tasks on objects set apart, as the evaluation does on the test split.
class TaskValidator {
 public:
  /// Embeds with the encoders `towers`, whose modalities every row must have; those whose head no stage has trained, as
  /// `origins` say, give their backbone's embedding. Probes are fitted on `tasks` of the `training` rows, evenly
  /// spaced.
  TaskValidator(const Experiment& experiment, const StageSpec& stage, std::vector<std::string> towers,
                const Model& model, const Origins& origins, const Dataset& dataset,
                const std::vector<int64_t>& training, std::vector<int64_t> validation);

  /// "validation.R² image knn": what the tasks measure, named as a Measure is. With "validation.left_out" of objects
  /// that a representation is not finite for. Throws Error when they are too many, and when the stage selects weights
  /// by a metric in another direction than the task says is better.
  record::Metrics measure() const;

 private:
  void check_mode(const Measure& deciding) const;
  /// What it reads of this dataset.
  std::vector<std::string> labels_of(const Task& task) const;

  const Experiment& experiment_;
  ValidationSpec spec_;
  std::vector<std::string> towers_;
  Origins origins_;
  const Model& model_;
  const Dataset& dataset_;
  std::vector<int64_t> training_, validation_;
  std::vector<std::shared_ptr<Task>> tasks_;
};

}  // namespace astroclip::evaluate
