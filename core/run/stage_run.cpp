#include "run/stage_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "io/output/durable_file.h"
#include "record/checkpoint.h"
#include "record/figure.h"
#include "record/stop_request.h"

namespace astroclip::run {

StageRun::StageRun(const StageSpec& stage, const record::RunFolder& folder, train::Trainer& trainer,
                   record::Console& console, record::Recorder& recorder, WriteModel write_model,
                   const Provenance& provenance)
    : stage_(stage),
      folder_(folder),
      trainer_(trainer),
      console_(console),
      recorder_(recorder),
      write_model_(std::move(write_model)),
      provenance_(provenance),
      first_(trainer.finished_steps()),
      progress_{.stage = stage.name, .steps = stage.steps} {}

bool StageRun::run() {
  const bool complete = train();
  save();
  if (!complete) {
    console_.say(fmt::format("stopped after step {} of stage {}; resume with: astroclip run --resume {}",
                             trainer_.finished_steps(), stage_.name, folder_.path()));
    return false;
  }
  if (progress_.step > 0) console_.say(record::describe(progress_));
  if (trainer_.skipped() > 0) {
    console_.say(fmt::format("stage {}: {} of {} steps were left out because something was not finite", stage_.name,
                             trainer_.skipped(), trainer_.finished_steps()));
  }
  if (trainer_.watch() != nullptr && trainer_.watch()->collapsed_since() >= 0) {
    console_.say(fmt::format("stage {} ends with a representation that has collapsed, as found after {} steps: {}",
                             stage_.name, trainer_.watch()->collapsed_since(), trainer_.watch()->collapse()));
  }
  const train::Selection& selection = trainer_.selection();
  if (selection.exhausted()) {
    console_.say(fmt::format("stage {} stops after step {}: no improvement on {} = {:.6g} of step {} in {} validations",
                             stage_.name, trainer_.finished_steps(), stage_.validation.metric, selection.best_value(),
                             selection.step_of_best(), stage_.validation.patience));
  }
  return true;
}

bool StageRun::train() {
  const record::StopRequest stop;
  const record::Metrics before = measure_if_due();
  if (!before.empty()) recorder_.write(stage_.name, trainer_.finished_steps(), before);
  while (!trainer_.finished()) {
    if (stop.requested()) {
      take(trainer_.settle());
      return false;
    }
    take(trainer_.reads_late() ? trainer_.advance() : trainer_.step());
    if (must_settle()) take(trainer_.settle());
    if (saves() && !trainer_.finished()) save();
  }
  return true;
}

bool StageRun::must_settle() const {
  return trainer_.finished() || trainer_.validation_due() || trainer_.look_due() || saves();
}

void StageRun::take(const std::optional<train::StepReport>& step) {
  if (!step) return;
  if (!has_named_unreached_ && step->skipped.empty()) name_unreached();
  if (step->step == first_ + 3) tell_memory();
  report(*step);
}

void StageRun::report(const train::StepReport& step) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  const auto done = static_cast<double>(step.step - first_);
  progress_.step = step.step;
  if (step.skipped.empty()) {
    progress_.loss = step.loss();
    progress_.learning_rate = step.learning_rate;
  } else {
    console_.say(fmt::format("{} step {} was left out: {}", stage_.name, step.step, step.skipped));
  }
  progress_.objects_per_second = done * static_cast<double>(stage_.batch * stage_.accumulate) / elapsed;
  progress_.wait_share = trainer_.waited() / elapsed;
  progress_.seconds_left = elapsed / done * static_cast<double>(stage_.steps - step.step);
  console_.progress(record::describe(progress_));
  record::Metrics line;
  if (step.skipped.empty()) {
    line = {{"loss", step.loss()}, {"learning_rate", step.learning_rate}, {"gradient_norm", step.gradient_norm}};
  }
  line.emplace_back("objects_per_second", progress_.objects_per_second);
  line.emplace_back("wait_share", progress_.wait_share);
  if (!step.losses.empty()) line.insert(line.end(), step.losses.begin() + 1, step.losses.end());
  if (trainer_.skipped() > 0) line.emplace_back("skipped_steps", static_cast<double>(trainer_.skipped()));
  // Of a step that is told of late the next one has been queued: nothing was due.
  const record::Metrics measured = step.step == trainer_.finished_steps() ? measure_if_due() : record::Metrics();
  line.insert(line.end(), measured.begin(), measured.end());
  recorder_.write(stage_.name, step.step, line);
}

void StageRun::name_unreached() {
  has_named_unreached_ = true;
  const std::vector<std::string> parts = trainer_.unreached();
  if (parts.empty()) return;
  console_.say(fmt::format("stage {}: the loss does not reach {}; what it does not reach keeps its weights",
                           stage_.name, fmt::join(parts, ", ")));
}

void StageRun::tell_memory() {
  const MemoryStatistics memory = trainer_.memory();
  console_.say(fmt::format("stage {}: {} MB in use between steps, {} MB within them", stage_.name,
                           memory.used_bytes >> 20, memory.reserved_bytes >> 20));
}

record::Metrics StageRun::measure_if_due() {
  record::Metrics metrics;
  if (trainer_.validation_due()) metrics = validate();
  if (trainer_.look_due()) std::ranges::move(look(), std::back_inserter(metrics));
  return metrics;
}

record::Metrics StageRun::look() {
  const bool had_collapsed = trainer_.watch()->collapsed_since() >= 0;
  record::Metrics metrics = trainer_.look();
  const train::CollapseWatch& watch = *trainer_.watch();
  const bool has_collapsed = watch.collapsed_since() >= 0;
  progress_.watch = watch.glance();
  console_.say(fmt::format("{} after {} steps: {}", stage_.name, trainer_.finished_steps(), watch.brief()));
  if (has_collapsed && !had_collapsed) {
    console_.say(fmt::format("stage {}: the representation has collapsed: {}", stage_.name, watch.collapse()));
  } else if (had_collapsed && !has_collapsed) {
    console_.say(fmt::format("stage {}: the representation has recovered from its collapse", stage_.name));
  }
  return metrics;
}

record::Metrics StageRun::validate() {
  const train::Validation validation = trainer_.validate();
  for (size_t i = 0; i < validation.figures.size(); ++i) {
    io::make_folder(folder_.figures());
    record::write_figure(
        fmt::format("{}/{}-{:08}-{}", folder_.figures(), stage_.name, trainer_.finished_steps(), i + 1),
        validation.figures[i]);
  }
  if (validation.is_best) {
    const train::WeightsInUse::Scope scope = trainer_.use();
    write_model_(folder_.best(stage_.name));
  }
  console_.say(fmt::format("{} after {} steps: {} = {:.6g}{}", stage_.name, trainer_.finished_steps(),
                           stage_.validation.metric, trainer_.selection().last_value(),
                           validation.is_best ? ", the best so far" : ""));
  return validation.metrics;
}

void StageRun::save() {
  recorder_.sync();
  record::Position position = trainer_.position();
  position.provenance = provenance_;
  record::write_checkpoint(folder_.checkpoints() + "/" + record::checkpoint_name(position), position, trainer_.state());
  record::prune_checkpoints(folder_.checkpoints(), static_cast<size_t>(stage_.keep_checkpoints));
}

}  // namespace astroclip::run
