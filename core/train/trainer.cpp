#include "train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/instructions.h"
#include "base/threads.h"
#include "ops/ops.h"
#include "optim/schedule.h"
#include "train/stage_parameters.h"
#include "train/stage_rows.h"
#include "train/step_context.h"

namespace astroclip::train {

Trainer::Trainer(const Stage& stage, const Model& model, const Dataset& dataset,
                 const std::optional<record::Checkpoint>& from, evaluate::TokenCache* cache, const Origins& origins)
    : stage_(stage), model_(model), dataset_(dataset), setup_(stage, model), selection_(stage.spec.validation) {
  make_optimizer();
  if (from) restore(*from);
  if (cache != nullptr && !finished()) frozen_ = FrozenViews(setup_, *cache);
  open_dataset(origins);
  if (watch_ && from && !from->position.watch.empty()) watch_->restore(from->position.watch, from->path);
}

void Trainer::make_optimizer() {
  const StageSpec& spec = stage_.spec;
  const OptimizerSpec& o = spec.optimizer;
  const std::vector<NamedTensor> parameters = stage_parameters(spec, model_, setup_.loss());
  optimizer_ = optim::make_optimizer(
      o.name, parameters, {o.betas[0], o.betas[1], o.epsilon, o.weight_decay, o.max_grad_norm, o.decay_vectors},
      optimizer_scales(spec, parameters));
  if (optimizer_->parameters().empty() && spec.steps > 0) {
    throw Error(fmt::format("[stages.{}] freeze leaves nothing to train", spec.name));
  }
  if (spec.ema > 0.0) {
    std::vector<NamedTensor> averaged = optimizer_->parameters();
    nn::append_state(averaged, trained_moments(spec, model_));
    average_ = std::make_unique<optim::WeightAverage>(std::move(averaged), spec.ema);
  }
  in_use_ = std::make_unique<WeightsInUse>(setup_, average_.get());
}

void Trainer::open_dataset(const Origins& origins) {
  const StageSpec& spec = stage_.spec;
  data::RowSplit rows = stage_rows(setup_, dataset_);
  row_count_ = static_cast<int64_t>(rows.training.size());
  make_validators(rows, origins);
  data::LoaderOptions options = stage_.loader_options(spec.batch);
  options.first_step = step_ * spec.accumulate;
  options.steps = spec.steps * spec.accumulate;
  loader_ = std::make_unique<data::Loader>(dataset_, std::move(rows.training), frozen_.to_load(setup_, spec.batch),
                                           setup_.loss().labels(), options);
}

void Trainer::make_validators(const data::RowSplit& rows, const Origins& origins) {
  if (stage_.spec.watch.every > 0) {
    watch_ = std::make_unique<CollapseWatch>(setup_, frozen_, origins, dataset_, rows.validation);
  }
  if (stage_.spec.validation.every == 0) return;
  validator_ = std::make_unique<Validator>(setup_, frozen_, dataset_, rows.validation);
  if (stage_.spec.validation.tasks == 0) return;
  task_validator_ =
      std::make_unique<evaluate::TaskValidator>(stage_.experiment, stage_.spec, setup_.towers_of_views(), model_,
                                                origins, dataset_, rows.training, rows.validation);
}

record::Metrics Trainer::add_gradients(std::string& bad) {
  record::MetricMeans means;
  for (int64_t i = 0; i < stage_.spec.accumulate; ++i) {
    batch_ = loader_->next();
    if (!bad.empty()) continue;  // the loader stays in step
    StepContext context(setup_, frozen_, batch_, step_, Mode::training);
    const LossValue value = setup_.forward(context);
    const record::Metrics metrics = means.add(value);
    if (std::isfinite(metrics.front().second)) {
      context.backward(value.total, 1.0 / static_cast<double>(stage_.spec.accumulate));
    } else {
      bad = describe_bad_loss(value);
    }
  }
  return means.means();
}

StepReport Trainer::step() {
  const ops::PrecisionScope precision(stage_.experiment.run_precision());
  std::vector<Tensor> before;
  if (stage_.spec.on_nonfinite == OnNonfinite::skip) {
    for (const NamedTensor& entry : setup_.buffers()) before.push_back(entry.tensor.clone());
  }
  std::string bad;
  StepReport report;
  report.losses = add_gradients(bad);
  if (!bad.empty()) return skip(std::move(bad), before);
  const OptimizerSpec& o = stage_.spec.optimizer;
  const int64_t steps = stage_.spec.steps;
  report.learning_rate = optim::warmup_cosine(step_, o.lr, o.min_lr, o.warmup, steps, o.warmup_ends_at_peak);
  const double decay = o.weight_decay * optim::cosine(step_, 1.0, o.decay_scale_end, steps);
  const optim::Optimizer::Norm norm = optimizer_->step({report.learning_rate, decay, step_});
  if (!norm.finite) {
    const std::string cause = bad_input(batch_, dataset_);
    return skip(fmt::format("the gradient of '{}' is not finite (loss {:.6g}){}", optimizer_->first_non_finite(),
                            report.loss(), cause.empty() ? "" : "; " + cause),
                before);
  }
  report.gradient_norm = norm.norm;
  for (size_t i = 0; i + 1 < norm.parts.size(); ++i) {
    report.losses.emplace_back("gradient_norm." + o.clip_apart[i], norm.parts[i + 1]);
  }
  setup_.after_update(step_);
  if (average_) average_->update(step_);
  skipped_in_a_row_ = 0;
  report.step = ++step_;
  return report;
}

StepReport Trainer::skip(std::string why, const std::vector<Tensor>& before) {
  constexpr int64_t most_in_a_row = 3;
  const bool skips = stage_.spec.on_nonfinite == OnNonfinite::skip;
  if (!skips || skipped_in_a_row_ + 1 == most_in_a_row) {
    throw Error(fmt::format("[stages.{}] step {}: {}; nothing was updated{}", stage_.spec.name, step_ + 1, why,
                            skips ? fmt::format("; it is the {}rd such step in a row", most_in_a_row) : ""));
  }
  std::vector<NamedTensor> now = setup_.buffers();
  for (size_t i = 0; i < now.size(); ++i) now[i].tensor.copy_from(before[i]);
  optimizer_->clear_gradients();
  setup_.after_skip();
  ++skipped_;
  ++skipped_in_a_row_;
  return {.step = ++step_, .skipped = std::move(why), .losses = {}};
}

Validation Trainer::validate() {
  Validation validation;
  {
    const WeightsInUse::Scope scope(*in_use_, WeightsInUse::By::loss);
    validation.metrics = validator_->measure(step_);
    validation.figures = validator_->figures(step_);
  }
  if (task_validator_) {
    const WeightsInUse::Scope scope = use();
    for (auto& metric : task_validator_->measure()) validation.metrics.push_back(std::move(metric));
  }
  validation.is_best = selection_.offer(step_, validation.metrics);
  return validation;
}

std::string Trainer::describe_bad_loss(const LossValue& value) const {
  std::vector<std::string> terms;
  for (const auto& [name, term] : value.terms) {
    if (!std::isfinite(term.item())) terms.push_back(fmt::format("'{}'", name));
  }
  if (terms.empty()) terms.emplace_back("'total'");
  std::string cause = bad_input(batch_, dataset_);
  for (const NamedTensor& entry : state()) {
    if (!cause.empty()) break;
    const std::vector<double> values = entry.tensor.to_doubles();
    if (std::ranges::any_of(values, [](double v) { return !std::isfinite(v); })) {
      cause = fmt::format("the first bad tensor is '{}'", entry.name);
    }
  }
  return fmt::format("the loss term{} {} {} not finite; {}", terms.size() == 1 ? "" : "s", fmt::join(terms, ", "),
                     terms.size() == 1 ? "is" : "are", cause.empty() ? "every weight and every view is finite" : cause);
}

record::Position Trainer::position() const {
  return {.stage = static_cast<int64_t>(stage_.index),
          .step = step_,
          .threads = compute_threads(),
          .instructions = instruction_tier(),
          .selection = validator_ ? selection_.state() : config::Table(),
          .watch = watch_ ? watch_->state() : config::Table(),
          .skipped = skipped_,
          .skipped_in_a_row = skipped_in_a_row_};
}

std::vector<NamedTensor> Trainer::state() const {
  std::vector<NamedTensor> all = model_.state();
  nn::append_state(all, setup_.state());
  nn::append_state(all, optimizer_->state(), "optimizer");
  if (average_) nn::append_state(all, average_->state());
  return all;
}

void Trainer::restore(const record::Checkpoint& checkpoint) {
  const auto& [path, position] = checkpoint;
  std::vector<NamedTensor> targets = state();
  record::restore(path, targets);
  step_ = position.step;
  skipped_ = position.skipped;
  skipped_in_a_row_ = position.skipped_in_a_row;
  if (stage_.spec.validation.every == 0) return;
  if (position.selection.empty()) {
    throw Error(
        fmt::format("{}: an earlier version of astroclip wrote it without what its validations decided; start "
                    "the run anew",
                    path));
  }
  selection_.restore(position.selection, path);
}

int64_t Trainer::trainable_parameters() const {
  int64_t count = 0;
  for (const NamedTensor& entry : optimizer_->parameters()) count += entry.tensor.numel();
  return count;
}

std::vector<std::string> Trainer::unreached() const {
  return unreached_parts(stage_.spec, optimizer_->parameters(), optimizer_->reached());
}

}  // namespace astroclip::train
