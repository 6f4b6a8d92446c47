#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optim/optimizer.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/stage_engine.h"

namespace astroclip::train {

/// What one step gave.
struct StepReport {
  int64_t step = 0;  ///< finished steps of the stage
  double loss = 0.0;
  double learning_rate = 0.0;
  double gradient_norm = 0.0;
  Metrics terms;
};

/// One stage of training: loss, optimiser, loader, and their state.
class Trainer {
 public:
  /// `first_step` > 0 when going on from a checkpoint, which `restore` then loads.
  Trainer(const Experiment& experiment, size_t stage, Model& model, const Dataset& dataset, int64_t first_step);

  void restore(const std::string& checkpoint, const Position& position);
  bool finished() const { return step_ == spec().steps; }
  /// One step: encode, loss, gradients, update. Throws Error naming the loss term and the first tensor that went bad
  /// when a number is not finite; nothing has been updated then.
  StepReport step();
  Position position() const;
  /// Everything that the rest of the run depends on.
  std::vector<nn::NamedTensor> state() const;
  /// Seconds spent waiting for data so far.
  double waited() const { return loader_ ? loader_->waited() : 0.0; }
  int64_t trainable_parameters() const;
  int64_t row_count() const { return row_count_; }

 private:
  const StageSpec& spec() const { return experiment_.stages[stage_]; }
  void freeze_parts();
  std::vector<nn::NamedTensor> trained_parameters() const;
  void set_modes(uint64_t step_seed);
  [[noreturn]] void stop_on_bad_number(const LossValue& value, const std::string& gradient) const;

  const Experiment& experiment_;
  size_t stage_;
  Model& model_;
  StageEngine engine_;
  Loss* loss_ = nullptr;
  std::unique_ptr<optim::Adamw> optimizer_;
  std::unique_ptr<data::Loader> loader_;
  int64_t step_;
  int64_t row_count_ = 0;
};

}  // namespace astroclip::train
