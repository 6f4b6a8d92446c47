#include "train/stage_setup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "plugin/guarded.h"
#include "train/stage_parameters.h"
#include "train/view_plans.h"

namespace astroclip::train {

namespace {

/// What the views have under `key`, each once.
std::vector<std::string> distinct(const std::vector<data::ViewPlan>& views, std::string ViewRequest::*key) {
  std::vector<std::string> all;
  for (const data::ViewPlan& view : views) {
    if (std::ranges::find(all, view.request.*key) == all.end()) all.push_back(view.request.*key);
  }
  return all;
}

}  // namespace

StageSetup::StageSetup(const Stage& stage, const Model& model) : stage_(stage), model_(model) {
  const StageSpec& spec = stage_.spec;
  freeze_parts(spec, model_);
  prepare_blocks();
  loss_ = spec.loss.make();
  plugin::traced(loss_title(), [&] { loss_->attach(*this); });
  loss_->materialize(stage_.experiment.run_device(), stage_.seed(), "loss." + spec.name);
  plugin::traced(loss_title(), [&] { loss_->begin(); });
  refuse_two_averages();
  plan_views();
}

std::string StageSetup::loss_title() const {
  return fmt::format("loss '{}' of stage '{}'", stage_.spec.loss.plugin, stage_.spec.name);
}

LossValue StageSetup::forward(LossContext& context) const {
  return plugin::traced(loss_title(), [&] { return loss_->forward(context); });
}

void StageSetup::after_update(int64_t step) {
  plugin::traced(loss_title(), [&] { loss_->after_update(*this, step, stage_.spec.steps); });
}

void StageSetup::after_skip() const {
  plugin::traced(loss_title(), [&] { loss_->after_skip(); });
}

std::vector<LossFigure> StageSetup::figures(LossContext& context) const {
  return plugin::traced(loss_title(), [&] { return loss_->figures(context); });
}

void StageSetup::prepare_blocks() const {
  const StageSpec& spec = stage_.spec;
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  for (const std::string& name : spec.encoders) {
    Encoder& encoder = model_.encoder(name);
    const auto set = [&](const char* key, const auto& change) {
      try {
        change();
      } catch (const Error& error) {
        throw Error(fmt::format("[stages.{}] '{}' for encoder '{}': {}", spec.name, key, name, error.what()));
      }
    };
    const StochasticDepthSpec& depth = spec.stochastic_depth;
    const bool skips = depth.encoders.empty() || has(depth.encoders, name);
    set("stochastic_depth",
        [&] { encoder.set_stochastic_depth(skips ? nn::StochasticDepth(depth) : nn::StochasticDepth()); });
    set("recompute", [&] { encoder.set_recomputation(has(spec.recompute, name)); });
  }
}

void StageSetup::refuse_two_averages() const {
  for (const std::string& tower : stage_.spec.encoders) {
    if (stage_.spec.ema == 0.0 || loss_->product(tower) == nullptr) continue;
    throw Error(fmt::format("[stages.{}] 'ema' averages the weights of '{}', in whose place loss '{}' gives its own",
                            stage_.spec.name, tower, stage_.spec.loss.plugin));
  }
}

void StageSetup::plan_views() {
  for (const ViewRequest& request : plugin::traced(loss_title(), [&] { return loss_->views(*this); })) {
    const auto same = [&](const data::ViewPlan& view) { return view.request.name == request.name; };
    if (std::ranges::any_of(views_, same)) {
      throw Error(fmt::format("[stages.{}] the loss asks for two views '{}'", stage_.spec.name, request.name));
    }
    views_.push_back(plan_view(stage_.experiment, encoder(request.tower), request));
  }
}

const data::ViewPlan& StageSetup::view(const std::string& name) const {
  const auto found =
      std::ranges::find_if(views_, [&](const data::ViewPlan& view) { return view.request.name == name; });
  if (found != views_.end()) return *found;
  throw Error(fmt::format("[stages.{}] the loss did not ask for a view '{}'", stage_.spec.name, name));
}

std::vector<std::string> StageSetup::towers_of_views() const { return distinct(views_, &ViewRequest::tower); }

std::vector<std::string> StageSetup::modalities_of_views() const { return distinct(views_, &ViewRequest::modality); }

void StageSetup::set_mode(bool training, uint64_t seed) const {
  const auto prepare = [&](nn::Module& module, const std::string& name) {
    module.set_training(training);
    module.set_step_seed(seed ^ stable_hash(name));
  };
  prepare(*loss_, "loss");
  for (const std::string& name : stage_.spec.encoders) {
    prepare(model_.encoder(name), name);
    model_.encoder(name).set_batch_statistics({.groups = loss_->batch_norm_groups(name)});
  }
}

std::vector<NamedTensor> StageSetup::state() const {
  std::vector<NamedTensor> all = loss_->state("loss");
  for (const auto& [name, encoder] : rebuilt_) nn::append_state(all, encoder->state("rebuilt." + name));
  return all;
}

std::vector<NamedTensor> StageSetup::buffers() const {
  std::vector<NamedTensor> all;
  const auto add = [&](const nn::Module& module) {
    const std::vector<NamedTensor> parameters = module.parameters();
    for (NamedTensor& entry : module.state()) {
      if (std::ranges::find(parameters, entry.name, &NamedTensor::name) == parameters.end()) {
        all.push_back(std::move(entry));
      }
    }
  };
  add(*loss_);
  for (const std::string& name : stage_.spec.encoders) add(model_.encoder(name));
  for (const auto& [name, encoder] : rebuilt_) add(*encoder);
  return all;
}

Encoder& StageSetup::tower(const std::string& name) const {
  const std::vector<std::string>& known = stage_.spec.encoders;
  if (std::ranges::find(known, name) != known.end()) return model_.encoder(name);
  throw Error(fmt::format("[stages.{}] the loss asks for an encoder '{}', the stage has {}", stage_.spec.name, name,
                          fmt::join(known, ", ")));
}

Encoder& StageSetup::rebuild(const std::string& tower, const std::string& name) {
  const Encoder& original = this->tower(tower);
  const Experiment& experiment = stage_.experiment;
  auto copy = make_encoder(experiment.encoder(tower), experiment.run_device(), std::nullopt);
  nn::load_state(copy->state(), original.state());
  copy->set_trainable("", false);
  rebuilt_.emplace_back(name, copy);
  return *copy;
}

}  // namespace astroclip::train
