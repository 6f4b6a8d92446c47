#include "train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "backend/pinned.h"
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
  options.memory = pinned_memory(stage_.experiment.run_device());
  loader_ = frozen_.loader(setup_, dataset_, std::move(rows.training), options);
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
      bad = describe_bad_loss(metrics, batch_, state());
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
  report.learning_rate = rates().learning_rate;
  const optim::Optimizer::Norm norm = optimizer_->step(rates());
  if (!norm.finite) return skip(describe_bad_gradient(report.loss(), batch_), before);
  report_norm(norm, report);
  setup_.after_update(step_);
  if (average_) average_->update(step_);
  skipped_in_a_row_ = 0;
  report.step = ++step_;
  return report;
}

optim::Rates Trainer::rates() const {
  const OptimizerSpec& o = stage_.spec.optimizer;
  const int64_t steps = stage_.spec.steps;
  return {optim::warmup_cosine(step_, o.lr, o.min_lr, o.warmup, steps, o.warmup_ends_at_peak),
          o.weight_decay * optim::cosine(step_, 1.0, o.decay_scale_end, steps), step_};
}

std::string Trainer::describe_bad_gradient(double loss, const data::Batch& batch) const {
  const std::string cause = bad_input(batch, dataset_);
  return fmt::format("the gradient of '{}' is not finite (loss {:.6g}){}", optimizer_->first_non_finite(), loss,
                     cause.empty() ? "" : "; " + cause);
}

void Trainer::report_norm(const optim::Optimizer::Norm& norm, StepReport& report) const {
  report.gradient_norm = norm.norm;
  for (size_t i = 0; i + 1 < norm.parts.size(); ++i) {
    report.losses.emplace_back("gradient_norm." + stage_.spec.optimizer.clip_apart[i], norm.parts[i + 1]);
  }
}

bool Trainer::reads_late() const {
  return !is_host_memory(stage_.experiment.run_device()) && stage_.spec.on_nonfinite == OnNonfinite::error &&
         !optimizer_->reads_norm();
}

std::optional<StepReport> Trainer::advance() {
  const ops::PrecisionScope precision(stage_.experiment.run_precision());
  std::optional<StepReport> before;
  std::vector<data::Batch> batches;
  std::vector<LossValue> values;
  std::vector<Tensor> numbers;
  for (int64_t i = 0; i < stage_.spec.accumulate; ++i) {
    batches.push_back(loader_->next());
    StepContext context(setup_, frozen_, batches.back(), step_, Mode::training);
    const LossValue value = setup_.forward(context);
    // The device has this to compute while the host looks at the step before, whose gradients go then.
    if (i == 0) before = settle();
    for (const Tensor& number : record::numbers_of(value)) numbers.push_back(number.detach());
    values.push_back(record::without_numbers(value));
    context.backward(value.total, 1.0 / static_cast<double>(stage_.spec.accumulate));
  }
  optimizer_->queue_step(rates());
  numbers.insert(numbers.end(), optimizer_->norms().begin(), optimizer_->norms().end());
  StepReport report{.step = step_ + 1, .skipped = {}, .learning_rate = rates().learning_rate, .losses = {}};
  queued_.emplace(Queued{std::move(report), std::move(batches), std::move(values), Readback(numbers)});
  setup_.after_update(step_);
  if (average_) average_->update(step_);
  ++step_;
  return before;
}

std::optional<StepReport> Trainer::settle() {
  if (!queued_) return std::nullopt;
  const Queued queued = std::move(*queued_);
  queued_.reset();
  const std::vector<double> numbers = queued.numbers.doubles();
  std::span<const double> left = numbers;
  const auto fail = [&](const std::string& why) {
    throw Error(fmt::format("[stages.{}] step {}: {}; nothing was updated", stage_.spec.name, queued.report.step, why));
  };
  record::MetricMeans means;
  for (size_t i = 0; i < queued.values.size(); ++i) {
    const LossValue& value = queued.values[i];
    const record::Metrics metrics = means.add(value, left);
    left = left.subspan(1 + value.terms.size() + value.roots.size());
    if (std::isfinite(metrics.front().second)) continue;
    std::vector<NamedTensor> suspects = state();  // but for buffers, which have changed since
    for (const NamedTensor& buffer : setup_.buffers()) {
      std::erase_if(suspects, [&](const NamedTensor& one) { return one.tensor.id() == buffer.tensor.id(); });
    }
    fail(describe_bad_loss(metrics, queued.batches[i], suspects));
  }
  StepReport report = queued.report;
  report.losses = means.means();
  const optim::Optimizer::Norm norm = optim::Optimizer::norm_of(left);
  if (!norm.finite) fail(describe_bad_gradient(report.loss(), queued.batches.back()));
  report_norm(norm, report);
  optimizer_->clear_gradients();
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

std::string Trainer::describe_bad_loss(const record::Metrics& metrics, const data::Batch& batch,
                                       const std::vector<NamedTensor>& state) const {
  std::vector<std::string> terms;
  for (size_t i = 1; i < metrics.size(); ++i) {
    if (!std::isfinite(metrics[i].second)) terms.push_back(fmt::format("'{}'", metrics[i].first));
  }
  if (terms.empty()) terms.emplace_back("'total'");
  std::string cause = bad_input(batch, dataset_);
  for (const NamedTensor& entry : state) {
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
          .device = device_description(stage_.experiment.run_device()),
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
