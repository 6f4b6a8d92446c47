#include "train/stage_engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "autograd/tape.h"
#include "base/error.h"
#include "plugin/host.h"

namespace astroclip::train {

StageEngine::StageEngine(const Experiment& experiment, size_t stage, Model& model)
    : experiment_(experiment), stage_(stage), model_(model) {}

Loss& StageEngine::make_loss() {
  loss_ = plugin::Host::instance().make_loss(spec().loss.plugin, spec().loss.parameters);
  loss_->attach(*this);
  loss_->materialize(experiment_.run_device(), static_cast<uint64_t>(experiment_.seed), "loss." + spec().name);
  requests_ = loss_->views(*this);
  return *loss_;
}

std::vector<data::ViewPlan> StageEngine::view_plans() const {
  std::vector<data::ViewPlan> plans;
  for (const ViewRequest& request : requests_) {
    Shape shape = model_.encoder(request.modality).input_shape();
    if (request.size > 0) shape = shape.with(-1, request.size).with(-2, request.size);
    plans.push_back({request, shape});
  }
  return plans;
}

std::vector<std::string> StageEngine::modalities_of_views() const {
  std::vector<std::string> all;
  for (const ViewRequest& request : requests_) {
    if (std::ranges::find(all, request.modality) == all.end()) all.push_back(request.modality);
  }
  return all;
}

void StageEngine::begin(data::Batch batch) {
  batch_ = std::move(batch);
  raw_.clear();
  tokens_.clear();
  for (const auto& [name, view] : batch_.views) raw_[name] = upload(view.values<float>(), view.shape);
}

std::vector<nn::NamedTensor> StageEngine::state() const {
  std::vector<nn::NamedTensor> all = loss_->state("loss");
  for (const auto& [name, encoder] : rebuilt_) {
    for (nn::NamedTensor& entry : encoder->state("rebuilt." + name)) all.push_back(std::move(entry));
  }
  return all;
}

const Encoder& StageEngine::encoder(const std::string& view_or_modality) const {
  const auto request = std::ranges::find(requests_, view_or_modality, &ViewRequest::name);
  const std::string& name = request == requests_.end() ? view_or_modality : request->modality;
  if (std::ranges::find(spec().encoders, name) == spec().encoders.end()) {
    throw Error(fmt::format("[stages.{}] the loss asks for '{}', the stage has the encoders {}", spec().name, name,
                            fmt::join(spec().encoders, ", ")));
  }
  return model_.encoder(name);
}

std::vector<std::string> StageEngine::modalities() const { return spec().encoders; }

Encoder& StageEngine::rebuild(const std::string& modality, const std::string& name) {
  auto copy = make_encoder(experiment_, modality);
  nn::load_state(copy->state(), model_.encoder(modality).state());
  copy->set_trainable("", false);
  rebuilt_.emplace_back(name, copy);
  return *copy;
}

int64_t StageEngine::batch_size() const { return static_cast<int64_t>(batch_.rows.size()); }
int64_t StageEngine::steps() const { return spec().steps; }

Rng StageEngine::rng(Purpose purpose, int64_t sample) const {
  const uint64_t step = static_cast<uint64_t>(stage_) << 40 | static_cast<uint64_t>(batch_.step);
  return {static_cast<uint64_t>(experiment_.seed), purpose, step, static_cast<uint64_t>(sample)};
}

Tensor StageEngine::raw(const std::string& view) const {
  const auto found = raw_.find(view);
  if (found == raw_.end())
    throw Error(fmt::format("[stages.{}] the loss did not ask for a view '{}'", spec().name, view));
  return found->second;
}

Tensor StageEngine::tokens(const std::string& view) {
  const auto known = tokens_.find(view);
  if (known != tokens_.end()) return known->second;
  const autograd::NoGrad guard;
  return tokens_[view] = encoder(view).tokenize(raw(view));
}

Encoded StageEngine::encode(const std::string& view, const Tensor& mask, TokenForm form) {
  return encoder(view).encode(tokens(view), mask, form);
}

Tensor StageEngine::embed(const std::string& view) {
  return encoder(view).embed(encode(view, {}, TokenForm::alignment));
}

Tensor StageEngine::label(const std::string& name) const {
  const auto found = batch_.labels.find(name);
  if (found == batch_.labels.end()) {
    throw Error(fmt::format("[stages.{}] the loss did not ask for a label '{}'", spec().name, name));
  }
  const Device device = experiment_.run_device();
  return Tensor::from_host(found->second, {batch_size()}, backend_of(device).compute_dtype(), device);
}

Tensor StageEngine::upload(std::span<const float> values, const Shape& shape) const {
  const Device device = experiment_.run_device();
  return Tensor::from_host(values, shape, backend_of(device).compute_dtype(), device);
}

}  // namespace astroclip::train
