#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/readback.h"
#include "data/holdout.h"
#include "evaluate/task_validator.h"
#include "model/origins.h"
#include "optim/optimizer.h"
#include "record/checkpoint.h"
#include "record/metrics.h"
#include "train/collapse_watch.h"
#include "train/frozen_views.h"
#include "train/selection.h"
#include "train/stage_setup.h"
#include "train/validator.h"
#include "train/weights_in_use.h"

namespace astroclip::train {

/// What one step gave.
struct StepReport {
  int64_t step = 0;     ///< finished steps of the stage
  std::string skipped;  ///< why it was left out; "" if it was not. There is nothing but `step` then
  double learning_rate = 0.0;
  double gradient_norm = 0.0;
  record::Metrics losses;  ///< means over the step's batches: "loss" first, then its terms
  double loss() const { return losses.front().second; }
};

/// What one validation gave.
struct Validation {
  record::Metrics metrics;
  std::vector<record::Figure> figures;
  bool is_best = false;  ///< of the stage so far
};

/// One stage of training: loss, optimiser, loader, and their state.
class Trainer {
 public:
  /// Begins the stage with the model's weights or goes on from a checkpoint of it. Features of frozen backbones are
  /// taken from `cache` where there is one. `origins` are those of the weights at the end of the stage.
  Trainer(const Stage& stage, const Model& model, const Dataset& dataset,
          const std::optional<record::Checkpoint>& from = std::nullopt, evaluate::TokenCache* cache = nullptr,
          const Origins& origins = {});

  /// All steps are done, or validations call for an end.
  bool finished() const { return step_ == stage_.spec.steps || selection_.exhausted(); }
  int64_t finished_steps() const { return step_; }
  /// One step: encode, loss, gradients, update; with `accumulate`, of several batches. When a number is not finite,
  /// nothing is updated: with `on_nonfinite = "skip"` the step is left out, unless it is the third in a row; else
  /// throws Error naming the loss terms and the object or the first tensor that went bad.
  StepReport step();
  /// The same without waiting for the device: queues a step and gives what the step before gave, if that was not known
  /// yet. Throws Error when that one was not finite: it has changed no weight, nor has a later one; buffers may have
  /// changed. For stages that end on what is not finite.
  std::optional<StepReport> advance();
  /// What the last step gave, if that is not known yet; waits for the device. Before it the state is not to be used.
  std::optional<StepReport> settle();
  /// Whether `advance` gains anything: on a device of its own, unless the host decides about each update.
  bool reads_late() const;
  /// Steps that were left out so far.
  int64_t skipped() const { return skipped_; }

  bool validation_due() const { return selection_.due(step_, stage_.spec.steps); }
  /// Measures on objects set apart: the loss, with the average of the weights where there is one, and the tasks, with
  /// the weights in use.
  Validation validate();
  const Selection& selection() const { return selection_; }
  bool look_due() const { return watch_ && watch_->due(step_); }
  /// Looks for a collapse; what it finds is in `watch` afterwards, too.
  record::Metrics look() { return watch_->look(*in_use_, step_); }
  /// Null without `watch`.
  const CollapseWatch* watch() const { return watch_.get(); }
  /// While it lives, the model has the weights that are meant for use.
  WeightsInUse::Scope use() const { return WeightsInUse::Scope(*in_use_); }
  /// Gives the model those weights for good; the stage is over.
  void keep_weights_in_use() const { in_use_->trade(); }

  record::Position position() const;
  /// Everything that the rest of the run depends on.
  std::vector<NamedTensor> state() const;
  /// Seconds spent waiting for data so far.
  double waited() const { return loader_ ? loader_->waited() : 0.0; }
  int64_t trainable_parameters() const;
  /// Of the device it trains on.
  MemoryStatistics memory() const { return memory_of(stage_.experiment.run_device()).statistics(); }
  /// Parts of the stage that train and that no gradient has reached so far, as `unreached_parts` names them.
  std::vector<std::string> unreached() const;
  int64_t row_count() const { return row_count_; }

 private:
  void make_optimizer();
  void restore(const record::Checkpoint& checkpoint);
  void open_dataset(const Origins& origins);
  void make_validators(const data::RowSplit& rows, const Origins& origins);
  /// Forward and backward of every batch of the step, until something is not finite, of which `bad` then tells.
  record::Metrics add_gradients(std::string& bad);
  optim::Rates rates() const;
  /// Which terms of a batch's metrics are not finite, and since when, in words; `state` is what may have been bad.
  std::string describe_bad_loss(const record::Metrics& metrics, const data::Batch& batch,
                                const std::vector<NamedTensor>& state) const;
  std::string describe_bad_gradient(double loss, const data::Batch& batch) const;
  void report_norm(const optim::Optimizer::Norm& norm, StepReport& report) const;
  /// Makes as if the step had not been, but for its number.
  StepReport skip(std::string why, const std::vector<Tensor>& before);

  Stage stage_;
  const Model& model_;
  const Dataset& dataset_;
  StageSetup setup_;
  FrozenViews frozen_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<optim::WeightAverage> average_;  ///< none without `ema`
  std::unique_ptr<WeightsInUse> in_use_;
  std::unique_ptr<data::Loader> loader_;
  std::unique_ptr<Validator> validator_;                     ///< none without `validation`
  std::unique_ptr<evaluate::TaskValidator> task_validator_;  ///< none without `validation.tasks`
  std::unique_ptr<CollapseWatch> watch_;                     ///< none without `watch`
  Selection selection_;
  data::Batch batch_;  ///< the last one
  /// A step whose numbers are on their way.
  struct Queued {
    StepReport report;
    std::vector<data::Batch> batches;
    std::vector<LossValue> values;  ///< of each batch, without the numbers
    Readback numbers;               ///< of all batches, then the norms
  };
  std::optional<Queued> queued_;
  int64_t step_ = 0;
  int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  int64_t row_count_ = 0;
};

}  // namespace astroclip::train
