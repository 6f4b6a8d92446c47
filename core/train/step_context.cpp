#include "train/step_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/selected_tokens.h"
#include "autograd/tape.h"
#include "backend/backend.h"
#include "backend/pinned.h"
#include "base/error.h"

namespace astroclip::train {

namespace {

uint64_t word(Rng rng) {
  const uint64_t high = rng.next();
  return high << 32 | rng.next();
}

}  // namespace

StepContext::StepContext(const StageSetup& setup, const FrozenViews& frozen, const data::Batch& batch, int64_t step,
                         Mode mode)
    : setup_(setup),
      stage_(setup.stage()),
      frozen_(frozen),
      batch_(batch),
      step_(step),
      mode_(mode),
      dropout_seed_(word(Rng(stage_.seed(), RngStream::dropout, stage_.index, static_cast<uint64_t>(batch.step)))) {
  setup_.set_mode(mode == Mode::training, dropout_seed_);
}

void StepContext::backward(const Tensor& total, double share) {
  if (!total.requires_grad()) {
    throw Error(
        fmt::format("[stages.{}] the total of loss '{}' depends on no parameter that trains: it is detached, or "
                    "all that it was computed from is frozen",
                    stage_.spec.name, stage_.spec.loss.plugin));
  }
  Tensor cotangent = Tensor::empty(total.shape(), total.dtype(), total.device());
  // The share; if the total is not finite, nothing is, and the device updates nothing.
  backend_of(total.device()).scale_add(0.0, total, 0.0, share, cotangent);
  autograd::backward(total, std::move(cotangent));
  for (size_t call = 0; call < embeddings_.size(); ++call) {
    const auto& [view, values] = embeddings_[call];
    const Tensor gradient = values.grad();
    if (!gradient.defined()) continue;
    for (const RowRange rows : parts(view)) {
      autograd::backward(embed_part(view, call, rows), gradient.view_rows(rows.begin, rows.end));
    }
  }
}

Rng StepContext::rng(RngStream stream, int64_t sample) const {
  const uint64_t step = static_cast<uint64_t>(stage_.index) << 40 | static_cast<uint64_t>(batch_.step);
  return {stage_.seed(), stream, step, static_cast<uint64_t>(sample)};
}

void StepContext::expect_whole(const std::string& view) const {
  if (!setup_.view(view).request.embedding_only) return;
  throw Error(
      fmt::format("[stages.{}] the loss asks for more of the view '{}' than its embedding, though its request says "
                  "embedding_only",
                  stage_.spec.name, view));
}

Tensor StepContext::raw(const std::string& view) {
  expect_whole(view);
  return raw_[view] = on_device(view);
}

Tensor StepContext::on_device(const std::string& view) const {
  const auto known = raw_.find(view);
  if (known != raw_.end()) return known->second;
  return data::upload(batch_.views.at(view), stage_.experiment.run_device());
}

Tensor StepContext::tokens(const std::string& view) {
  expect_whole(view);
  return tokens_of(view);
}

Tensor StepContext::tokens_of(const std::string& view) {
  const auto known = tokens_.find(view);
  if (known != tokens_.end()) return known->second;
  const autograd::NoGrad guard;
  return tokens_[view] = tower(view).tokenize(on_device(view));
}

void StepContext::expect_features(const std::string& view) const {
  expect_whole(view);
  if (splits()) {
    throw Error(
        fmt::format("[stages.{}] 'micro_batch' works for losses of whole embeddings, '{}' works on tokens; "
                    "'accumulate' makes a step of several smaller batches",
                    stage_.spec.name, stage_.spec.loss.plugin));
  }
}

Encoded StepContext::encode(const std::string& view, const Tensor& mask, TokenForm form) {
  expect_features(view);
  return tower(view).encode(tokens_of(view), mask, form);
}

Encoded StepContext::encode_selected(const std::string& view, const Tensor& mask,
                                     const std::vector<int64_t>& selected) {
  expect_features(view);
  return astroclip::encode_selected(tower(view), tokens_of(view), mask, selected);
}

Tensor StepContext::embed(const std::string& view) {
  if (splits()) return embed_in_parts(view);
  const Encoder& encoder = tower(view);
  if (const auto* kept = frozen_.find(view, batch_size())) return encoder.embed(kept->upload(batch_.kept.at(view)));
  return encoder.embed(encoder.encode(tokens_of(view), {}, TokenForm::alignment));
}

std::vector<RowRange> StepContext::parts(const std::string& view) {
  const int64_t rows = tokens_of(view).size(0), part = stage_.spec.micro_batch * (rows / batch_size());
  std::vector<RowRange> all;
  for (int64_t begin = 0; begin < rows; begin += part) all.push_back({begin, std::min(rows, begin + part)});
  return all;
}

Tensor StepContext::embed_part(const std::string& view, size_t call, RowRange rows) {
  const std::string& name = setup_.view(view).request.tower;
  Encoder& tower = setup_.tower(name);
  tower.set_step_seed(
      word(Rng(dropout_seed_ ^ stable_hash(name), RngStream::dropout, call, static_cast<uint64_t>(rows.begin))));
  return tower.embed(tower.encode(tokens_of(view).view_rows(rows.begin, rows.end), {}, TokenForm::alignment));
}

Tensor StepContext::embed_in_parts(const std::string& view) {
  Tensor values;
  const auto embed_all = [&] {
    const autograd::NoGrad guard;
    for (const RowRange rows : parts(view)) {
      const Tensor part = embed_part(view, embeddings_.size(), rows);
      if (!values) values = Tensor::empty(part.shape().with(0, tokens_of(view).size(0)), part.dtype(), part.device());
      values.view_rows(rows.begin, rows.end).copy_from(part);
    }
  };
  embed_all();
  const auto parameters = tower(view).parameters();
  values.set_requires_grad(autograd::recording() && std::ranges::any_of(parameters, &NamedTensor::trainable));
  embeddings_.push_back({view, values});
  return values;
}

const std::vector<double>& StepContext::read_label(const std::string& name) const {
  const auto found = batch_.labels.find(name);
  if (found != batch_.labels.end()) return found->second;
  throw Error(fmt::format("[stages.{}] the loss did not ask for a label '{}'", stage_.spec.name, name));
}

Tensor StepContext::label(const std::string& name) const {
  const Device device = stage_.experiment.run_device();
  return Tensor::from_host(read_label(name), {batch_size()}, backend_of(device).compute_dtype(), device);
}

std::vector<double> StepContext::label_values(const std::string& name) const {
  std::vector<double> values = read_label(name);
  if (backend_of(stage_.experiment.run_device()).compute_dtype() == DType::f32) {
    for (double& value : values) value = static_cast<float>(value);
  }
  return values;
}

Tensor StepContext::upload(std::span<const float> values, const Shape& shape) const {
  const Device device = stage_.experiment.run_device();
  if (is_host_memory(device) || std::ssize(values) != shape.numel()) {
    return Tensor::from_host(values, shape, backend_of(device).compute_dtype(), device);
  }
  HostArray pinned(DType::f32, shape, pinned_memory(device));
  std::ranges::copy(values, pinned.values<float>().begin());
  return data::upload(pinned, device);
}

std::string bad_input(const data::Batch& batch, const Dataset& dataset) {
  for (const auto& [name, view] : batch.views) {
    const auto values = view.values<float>();
    const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
    if (bad == values.end()) continue;
    const auto of_each = static_cast<ptrdiff_t>(values.size() / batch.rows.size());  // crops of an object together
    const int64_t row = batch.rows[static_cast<size_t>((bad - values.begin()) / of_each)];
    const ObjectIds id = data::read_object_ids(dataset, Split::train, std::span(&row, 1));
    IdNames names;
    names.add(id);
    return fmt::format("the view '{}' of object {} is not finite", name, names(id.keys[0]));
  }
  return "";
}

}  // namespace astroclip::train
