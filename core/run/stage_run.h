#pragma once

#include <functional>
#include <optional>
#include <string>

#include "record/console.h"
#include "record/recorder.h"
#include "record/run_folder.h"
#include "train/trainer.h"

namespace astroclip::run {

/// One stage of a run, from the trainer's position to the end: steps, validations, checkpoints, and the messages about
/// them.
class StageRun {
 public:
  using WriteModel = std::function<void(const std::string& path)>;
  /// `write_model` writes the current model. Checkpoints carry `provenance`.
  StageRun(const StageSpec& stage, const record::RunFolder& folder, train::Trainer& trainer, record::Console& console,
           record::Recorder& recorder, WriteModel write_model, const Provenance& provenance);

  /// Returns false when a signal stopped the stage early. In both cases the last state is in a checkpoint.
  bool run();

 private:
  bool train();
  /// Whether a checkpoint is due.
  bool saves() const { return trainer_.finished_steps() % stage_.checkpoint_every == 0; }
  /// Whether what the last step gave must be known before anything else.
  bool must_settle() const;
  /// Tells of a step, if there is one to tell of.
  void take(const std::optional<train::StepReport>& step);
  /// Says after the first step what the loss left without a gradient.
  void name_unreached();
  /// Says after the third step, when nothing new is taken any more, what training holds.
  void tell_memory();
  void report(const train::StepReport& step);
  /// Metrics of a validation and of a look for a collapse if they are due, else none. Writes the model if it is the
  /// best so far.
  record::Metrics measure_if_due();
  record::Metrics validate();
  record::Metrics look();
  void save();

  using Clock = std::chrono::steady_clock;
  const StageSpec& stage_;
  const record::RunFolder& folder_;
  train::Trainer& trainer_;
  record::Console& console_;
  record::Recorder& recorder_;
  WriteModel write_model_;
  const Provenance& provenance_;
  Clock::time_point start_ = Clock::now();
  int64_t first_;
  bool has_named_unreached_ = false;
  record::Progress progress_;
};

}  // namespace astroclip::run
