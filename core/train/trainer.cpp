#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/threads.h"
#include "ops/ops.h"

namespace astroclip::train {

Trainer::Trainer(const Experiment& experiment, size_t stage, Model& model, const Dataset& dataset, int64_t first_step)
    : experiment_(experiment), stage_(stage), model_(model), engine_(experiment, stage, model), step_(first_step) {
  freeze_parts();
  loss_ = &engine_.make_loss();
  const OptimizerSpec& o = spec().optimizer;
  optimizer_ = std::make_unique<optim::Adamw>(
      trained_parameters(),
      optim::Adamw::Options{o.betas[0], o.betas[1], o.epsilon, o.weight_decay, o.clip, o.decay_vectors});
  if (optimizer_->parameters().empty() && spec().steps > 0) {
    throw Error(fmt::format("[stages.{}] freeze leaves nothing to train", spec().name));
  }
  std::vector<int64_t> rows = data::rows_with(dataset, Split::train, engine_.modalities_of_views());
  row_count_ = static_cast<int64_t>(rows.size());
  if (row_count_ < spec().batch) {
    throw Error(
        fmt::format("[stages.{}] 'batch' = {} exceeds the {} training objects", spec().name, spec().batch, row_count_));
  }
  data::LoaderOptions options;
  options.batch = spec().batch;
  options.first_step = first_step;
  options.steps = spec().steps;
  options.seed = static_cast<uint64_t>(experiment.seed);
  options.stream = stage;
  options.threads = static_cast<int>(experiment.loader_threads);
  loader_ = std::make_unique<data::Loader>(dataset, std::move(rows), engine_.view_plans(), loss_->labels(), options);
}

void Trainer::freeze_parts() {
  for (const std::string& name : spec().encoders) model_.encoder(name).set_trainable("", true);
  for (const std::string& part : spec().freeze) {
    const size_t dot = part.find('.');
    try {
      model_.encoder(part.substr(0, dot)).set_trainable(dot == std::string::npos ? "" : part.substr(dot + 1), false);
    } catch (const Error& error) {
      throw Error(fmt::format("[stages.{}] freeze '{}': {}", spec().name, part, error.what()));
    }
  }
}

std::vector<nn::NamedTensor> Trainer::trained_parameters() const {
  std::vector<nn::NamedTensor> all = loss_->parameters("loss");
  for (const std::string& name : spec().encoders) {
    for (nn::NamedTensor& entry : model_.encoder(name).parameters(encoder_prefix(name))) {
      all.push_back(std::move(entry));
    }
  }
  return all;
}

void Trainer::set_modes(uint64_t step_seed) {
  const auto prepare = [&](nn::Module& module, const std::string& name) {
    module.set_training(true);
    module.set_step_seed(step_seed ^ stable_hash(name));
  };
  prepare(*loss_, "loss");
  for (const std::string& name : spec().encoders) prepare(model_.encoder(name), name);
}

StepReport Trainer::step() {
  engine_.begin(loader_->next());
  Rng seeds(static_cast<uint64_t>(experiment_.seed), Purpose::dropout, stage_, static_cast<uint64_t>(step_));
  const uint64_t high = seeds.next();
  set_modes(high << 32 | seeds.next());

  const ops::PrecisionScope precision(experiment_.run_precision());
  const LossValue value = loss_->forward(engine_);
  StepReport report;
  report.loss = value.total.item();
  if (!std::isfinite(report.loss)) stop_on_bad_number(value, "");
  autograd::backward(value.total);

  const OptimizerSpec& o = spec().optimizer;
  report.learning_rate = optim::warmup_cosine(step_, o.lr, o.floor, o.warmup, spec().steps);
  const auto norm = optimizer_->step(report.learning_rate);
  if (!norm.finite) stop_on_bad_number(value, optimizer_->first_non_finite());
  report.gradient_norm = norm.norm;
  for (const auto& [name, term] : value.terms) report.terms.emplace_back(name, term.item());
  loss_->after_update(engine_, step_);
  report.step = ++step_;
  return report;
}

void Trainer::stop_on_bad_number(const LossValue& value, const std::string& gradient) const {
  std::string bad_term = "total";
  for (const auto& [name, term] : value.terms) {
    if (!std::isfinite(term.item())) {
      bad_term = name;
      break;
    }
  }
  if (!gradient.empty()) {
    throw Error(
        fmt::format("[stages.{}] step {}: the gradient of '{}' is not finite (loss {:.6g}); nothing was updated",
                    spec().name, step_ + 1, gradient, value.total.item()));
  }
  std::string tensor;
  for (const nn::NamedTensor& entry : state()) {
    const std::vector<double> values = entry.tensor.to_doubles();
    if (std::ranges::any_of(values, [](double v) { return !std::isfinite(v); })) {
      tensor = fmt::format("the first bad tensor is '{}'", entry.name);
      break;
    }
  }
  throw Error(fmt::format("[stages.{}] step {}: the loss term '{}' is not finite; {}; nothing was updated", spec().name,
                          step_ + 1, bad_term, tensor.empty() ? "every weight is finite" : tensor));
}

Position Trainer::position() const {
  return {static_cast<int64_t>(stage_), step_, optimizer_->steps_taken(), compute_threads(), instruction_tier()};
}

std::vector<nn::NamedTensor> Trainer::state() const {
  std::vector<nn::NamedTensor> all = model_.state();
  for (nn::NamedTensor& entry : engine_.state()) all.push_back(std::move(entry));
  for (nn::NamedTensor& entry : optimizer_->state()) {
    entry.name = "optimizer." + entry.name;
    all.push_back(std::move(entry));
  }
  return all;
}

void Trainer::restore(const std::string& checkpoint, const Position& position) {
  std::vector<nn::NamedTensor> targets = state();
  train::restore(checkpoint, targets);
  optimizer_->set_steps_taken(position.optimizer_steps);
}

int64_t Trainer::trainable_parameters() const {
  int64_t count = 0;
  for (const nn::NamedTensor& entry : optimizer_->parameters()) count += entry.tensor.numel();
  return count;
}

}  // namespace astroclip::train
