#include "train/stage_engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "base/error.h"
#include "plugin/host.h"

namespace astroclip::train {

namespace {

uint64_t word(Rng rng) {
  const uint64_t high = rng.next();
  return high << 32 | rng.next();
}

}  // namespace

StageEngine::StageEngine(const Experiment& experiment, size_t stage, Model& model, evaluate::TokenCache* cache)
    : experiment_(experiment), stage_(stage), model_(model), frozen_(cache) {}

Loss& StageEngine::make_loss() {
  loss_ = plugin::Host::instance().make_loss(spec().loss.plugin, spec().loss.parameters);
  loss_->attach(*this);
  loss_->materialize(experiment_.run_device(), static_cast<uint64_t>(experiment_.seed), "loss." + spec().name);
  requests_ = loss_->views(*this);
  return *loss_;
}

data::ViewPlan StageEngine::plan(const ViewRequest& request) const {
  Shape shape = model_.encoder(request.modality).input_shape();
  if (request.size > 0) shape = shape.with(-1, request.size).with(-2, request.size);
  return {request, shape, experiment_.augmentation_of(request.modality)};
}

std::vector<data::ViewPlan> StageEngine::view_plans() const {
  std::vector<data::ViewPlan> plans;
  for (const ViewRequest& request : requests_) plans.push_back(plan(request));
  return plans;
}

std::vector<std::string> StageEngine::modalities_of_views() const {
  std::vector<std::string> all;
  for (const ViewRequest& request : requests_) {
    if (std::ranges::find(all, request.modality) == all.end()) all.push_back(request.modality);
  }
  return all;
}

void StageEngine::begin(data::Batch batch, int64_t step, Mode mode, MakeView make) {
  batch_ = std::move(batch);
  make_view_ = std::move(make);
  step_ = step;
  raw_.clear();
  tokens_.clear();
  embeddings_.clear();
  set_modes(mode);
}

void StageEngine::set_modes(Mode mode) {
  dropout_seed_ =
      word(Rng(static_cast<uint64_t>(experiment_.seed), Purpose::dropout, stage_, static_cast<uint64_t>(batch_.step)));
  const auto prepare = [&](nn::Module& module, const std::string& name) {
    module.set_training(mode == Mode::training);
    module.set_step_seed(dropout_seed_ ^ stable_hash(name));
  };
  prepare(*loss_, "loss");
  for (const std::string& name : spec().encoders) prepare(model_.encoder(name), name);
}

void StageEngine::backward(const Tensor& total, double share) {
  Tensor cotangent = Tensor::empty(total.shape(), total.dtype(), total.device());
  backend_of(total.device()).fill(cotangent, share);
  autograd::backward(total, std::move(cotangent));
  for (size_t call = 0; call < embeddings_.size(); ++call) {
    const auto& [view, values] = embeddings_[call];
    const Tensor gradient = values.grad();
    if (!gradient.defined()) continue;
    for (const RowRange rows : parts(view)) {
      autograd::backward(embed_part(view, call, rows), gradient.view_rows(rows.begin, rows.end));
    }
  }
  embeddings_.clear();
}

std::string StageEngine::bad_input(const Dataset& dataset) const {
  for (const auto& [name, view] : batch_.views) {
    const auto values = view.values<float>();
    const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
    if (bad == values.end()) continue;
    const auto of_each = static_cast<ptrdiff_t>(values.size() / batch_.rows.size());  // crops of an object together
    const int64_t row = batch_.rows[static_cast<size_t>((bad - values.begin()) / of_each)];
    const int64_t id = data::read_ids(dataset, Split::train, std::span(&row, 1)).front();
    return fmt::format("the view '{}' of object {} is not finite", name, id);
  }
  return "";
}

std::vector<std::string> StageEngine::idle_views() const {
  std::vector<std::string> idle;
  for (const auto& [name, view] : batch_.views) {
    if (!raw_.contains(name) && frozen_.keeps(name)) idle.push_back(name);
  }
  return idle;
}

std::vector<NamedTensor> StageEngine::state() const {
  std::vector<NamedTensor> all = loss_->state("loss");
  for (const auto& [name, encoder] : rebuilt_) {
    for (NamedTensor& entry : encoder->state("rebuilt." + name)) all.push_back(std::move(entry));
  }
  return all;
}

const std::string& StageEngine::encoder_name(const std::string& view_or_modality) const {
  const auto request = std::ranges::find(requests_, view_or_modality, &ViewRequest::name);
  const std::string& name = request == requests_.end() ? view_or_modality : request->modality;
  const auto found = std::ranges::find(spec().encoders, name);
  if (found == spec().encoders.end()) {
    throw Error(fmt::format("[stages.{}] the loss asks for '{}', the stage has the encoders {}", spec().name, name,
                            fmt::join(spec().encoders, ", ")));
  }
  return *found;
}

const Encoder& StageEngine::encoder(const std::string& view_or_modality) const {
  return model_.encoder(encoder_name(view_or_modality));
}

std::vector<std::string> StageEngine::modalities() const { return spec().encoders; }

Encoder& StageEngine::rebuild(const std::string& modality, const std::string& name) {
  auto copy = make_encoder(experiment_.encoder(modality), experiment_.run_device(), std::nullopt);
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
  const auto known = raw_.find(view);
  if (known != raw_.end()) return known->second;
  if (std::ranges::find(requests_, view, &ViewRequest::name) == requests_.end()) {
    throw Error(fmt::format("[stages.{}] the loss did not ask for a view '{}'", spec().name, view));
  }
  const auto there = batch_.views.find(view);
  const HostArray values = there == batch_.views.end() ? make_view_(view, batch_) : there->second;
  return raw_[view] = upload(values.values<float>(), values.shape);
}

Tensor StageEngine::tokens(const std::string& view) {
  const auto known = tokens_.find(view);
  if (known != tokens_.end()) return known->second;
  const autograd::NoGrad guard;
  return tokens_[view] = encoder(view).tokenize(raw(view));
}

Encoded StageEngine::encode(const std::string& view, const Tensor& mask, TokenForm form) {
  if (splits()) {
    throw Error(
        fmt::format("[stages.{}] 'micro_batch' works for losses of whole embeddings, '{}' works on tokens; "
                    "'accumulate' makes a step of several smaller batches",
                    spec().name, spec().loss.plugin));
  }
  const Encoder& tower = encoder(view);
  const auto request = std::ranges::find(requests_, view, &ViewRequest::name);
  const bool is_whole = !mask.defined() && request != requests_.end() && batch_size() == spec().batch;
  if (!is_whole) return tower.encode(tokens(view), mask, form);
  return frozen_.features({request->modality, tower, Split::train, plan(*request), form, spec().batch}, batch_.rows,
                          [&] { return tower.encode(tokens(view), {}, form); });
}

Tensor StageEngine::embed(const std::string& view) {
  if (splits()) return embed_in_parts(view);
  return encoder(view).embed(encode(view, {}, TokenForm::alignment));
}

std::vector<RowRange> StageEngine::parts(const std::string& view) {
  const int64_t rows = tokens(view).size(0), part = spec().micro_batch * (rows / batch_size());
  std::vector<RowRange> all;
  for (int64_t begin = 0; begin < rows; begin += part) all.push_back({begin, std::min(rows, begin + part)});
  return all;
}

Tensor StageEngine::embed_part(const std::string& view, size_t call, RowRange rows) {
  const std::string& name = encoder_name(view);
  Encoder& tower = model_.encoder(name);
  tower.set_step_seed(
      word(Rng(dropout_seed_ ^ stable_hash(name), Purpose::dropout, call, static_cast<uint64_t>(rows.begin))));
  return tower.embed(tower.encode(tokens(view).view_rows(rows.begin, rows.end), {}, TokenForm::alignment));
}

Tensor StageEngine::embed_in_parts(const std::string& view) {
  Tensor values;
  const auto embed_all = [&] {
    const autograd::NoGrad guard;
    for (const RowRange rows : parts(view)) {
      const Tensor part = embed_part(view, embeddings_.size(), rows);
      if (!values) values = Tensor::empty(part.shape().with(0, tokens(view).size(0)), part.dtype(), part.device());
      values.view_rows(rows.begin, rows.end).copy_from(part);
    }
  };
  embed_all();
  const auto parameters = model_.encoder(encoder_name(view)).parameters();
  values.set_requires_grad(autograd::recording() && std::ranges::any_of(parameters, &NamedTensor::trainable));
  embeddings_.push_back({view, values});
  return values;
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
