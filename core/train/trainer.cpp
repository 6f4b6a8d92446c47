#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/instructions.h"
#include "base/threads.h"
#include "ops/ops.h"
#include "optim/schedule.h"
#include "train/stage_parameters.h"
#include "train/stage_rows.h"

namespace astroclip::train {

Trainer::Trainer(const Experiment& experiment, size_t stage, Model& model, const Dataset& dataset, int64_t first_step,
                 evaluate::TokenCache* cache)
    : experiment_(experiment),
      stage_(stage),
      model_(model),
      engine_(experiment, stage, model, cache),
      selection_(experiment.stages[stage].validation),
      step_(first_step) {
  freeze_parts(spec(), model_);
  loss_ = &engine_.make_loss();
  make_optimizer();
  open_dataset(dataset);
}

void Trainer::make_optimizer() {
  const OptimizerSpec& o = spec().optimizer;
  const std::vector<NamedTensor> parameters = stage_parameters(spec(), model_, *loss_);
  optimizer_ = optim::make_optimizer(o.name, parameters,
                                     {o.betas[0], o.betas[1], o.epsilon, o.weight_decay, o.clip, o.decay_vectors},
                                     optimizer_scales(spec(), parameters));
  if (optimizer_->parameters().empty() && spec().steps > 0) {
    throw Error(fmt::format("[stages.{}] freeze leaves nothing to train", spec().name));
  }
  if (spec().ema > 0.0) average_ = std::make_unique<optim::WeightAverage>(optimizer_->parameters(), spec().ema);
}

void Trainer::open_dataset(const Dataset& dataset) {
  dataset_ = &dataset;
  data::Parted rows = stage_rows(experiment_, stage_, engine_, dataset);
  row_count_ = static_cast<int64_t>(rows.training.size());
  data::LoaderOptions options;
  options.batch = spec().batch;
  options.first_step = step_ * spec().accumulate;
  options.steps = spec().steps * spec().accumulate;
  options.seed = static_cast<uint64_t>(experiment_.seed);
  options.stream = stage_;
  options.threads = static_cast<int>(experiment_.loader_threads);
  make_validators(dataset, rows);
  loader_ =
      std::make_unique<data::Loader>(dataset, std::move(rows.training), engine_.view_plans(), loss_->labels(), options);
}

void Trainer::make_validators(const Dataset& dataset, const data::Parted& rows) {
  if (spec().validation.every == 0) return;
  validator_ = std::make_unique<Validator>(experiment_, stage_, engine_, dataset, rows.validation);
  if (spec().validation.tasks == 0) return;
  task_validator_ = std::make_unique<evaluate::TaskValidator>(experiment_, spec(), engine_.modalities_of_views(),
                                                              model_, dataset, rows.training, rows.validation);
}

record::Metrics Trainer::add_gradients() {
  record::MetricMeans means;
  for (int64_t i = 0; i < spec().accumulate; ++i) {
    engine_.begin(loader_->next(), step_, StageEngine::Mode::training,
                  [this](const auto& view, const auto& batch) { return loader_->make(view, batch); });
    const LossValue value = loss_->forward(engine_);
    const record::Metrics metrics = record::metrics_of(value);
    if (!std::isfinite(metrics.front().second)) stop_on_bad_loss(value);
    engine_.backward(value.total, 1.0 / static_cast<double>(spec().accumulate));
    means.add(metrics);
  }
  return means.means();
}

StepReport Trainer::step() {
  const ops::PrecisionScope precision(experiment_.run_precision());
  StepReport report;
  report.losses = add_gradients();
  const OptimizerSpec& o = spec().optimizer;
  report.learning_rate = optim::warmup_cosine(step_, o.lr, o.floor, o.warmup, spec().steps);
  const optim::Optimizer::Norm norm = optimizer_->step(report.learning_rate);
  if (!norm.finite) {
    const std::string cause = engine_.bad_input(*dataset_);
    throw Error(fmt::format(
        "[stages.{}] step {}: the gradient of '{}' is not finite (loss {:.6g}){}; nothing was updated", spec().name,
        step_ + 1, optimizer_->first_non_finite(), report.loss(), cause.empty() ? "" : "; " + cause));
  }
  report.gradient_norm = norm.norm;
  loss_->after_update(engine_, step_);
  if (average_) average_->update(step_);
  for (const std::string& view : engine_.idle_views()) loader_->leave_out(view);
  report.step = ++step_;
  return report;
}

Validation Trainer::validate() {
  Validation validation{validator_->measure(step_)};
  if (task_validator_) {
    for (auto& metric : task_validator_->measure()) validation.metrics.push_back(std::move(metric));
  }
  validation.is_best = selection_.offer(step_, validation.metrics);
  return validation;
}

void Trainer::keep_average() {
  if (average_) average_->swap();
}

void Trainer::stop_on_bad_loss(const LossValue& value) const {
  std::string bad_term = "total";
  for (const auto& [name, term] : value.terms) {
    if (!std::isfinite(term.item())) {
      bad_term = name;
      break;
    }
  }
  std::string cause = engine_.bad_input(*dataset_);
  for (const NamedTensor& entry : state()) {
    if (!cause.empty()) break;
    const std::vector<double> values = entry.tensor.to_doubles();
    if (std::ranges::any_of(values, [](double v) { return !std::isfinite(v); })) {
      cause = fmt::format("the first bad tensor is '{}'", entry.name);
    }
  }
  throw Error(fmt::format("[stages.{}] step {}: the loss term '{}' is not finite; {}; nothing was updated", spec().name,
                          step_ + 1, bad_term, cause.empty() ? "every weight and every view is finite" : cause));
}

record::Position Trainer::position() const {
  return {static_cast<int64_t>(stage_), step_, optimizer_->steps_taken(), compute_threads(), instruction_tier()};
}

std::vector<NamedTensor> Trainer::state() const {
  std::vector<NamedTensor> all = model_.state();
  for (NamedTensor& entry : engine_.state()) all.push_back(std::move(entry));
  for (NamedTensor& entry : optimizer_->state()) {
    entry.name = "optimizer." + entry.name;
    all.push_back(std::move(entry));
  }
  if (average_) {
    for (NamedTensor& entry : average_->state()) all.push_back(std::move(entry));
  }
  if (validator_) {
    for (NamedTensor& entry : selection_.state()) all.push_back(std::move(entry));
  }
  return all;
}

void Trainer::restore(const std::string& checkpoint, const record::Position& position) {
  std::vector<NamedTensor> targets = state();
  record::restore(checkpoint, targets);
  optimizer_->set_steps_taken(position.optimizer_steps);
}

int64_t Trainer::trainable_parameters() const {
  int64_t count = 0;
  for (const NamedTensor& entry : optimizer_->parameters()) count += entry.tensor.numel();
  return count;
}

}  // namespace astroclip::train
