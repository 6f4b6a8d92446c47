#include "nn/module.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "autograd/tape.h"
#include "backend/backend.h"
#include "base/error.h"
#include "ops/ops.h"

namespace astroclip::nn {

namespace {

std::string join(const std::string& prefix, const std::string& name) {
  if (prefix.empty() || name.empty()) return prefix + name;
  return prefix + "." + name;
}

double draw(const Init& init, Rng& rng) {
  switch (init.kind) {
    case Init::Kind::zeros:
      return 0.0;
    case Init::Kind::constant:
      return init.value;
    case Init::Kind::normal:
      return init.value * rng.normal();
    case Init::Kind::uniform:
      return rng.uniform(-init.value, init.value);
    case Init::Kind::truncated_normal: {
      double value = init.value * rng.normal();
      while (std::abs(value) > init.limit) value = init.value * rng.normal();
      return value;
    }
  }
  return 0.0;
}

/// Drawn on the host in float64, so that every backend starts with the same values.
Tensor initial(const Shape& shape, const Init& init, Device device, uint64_t seed, const std::string& name) {
  Rng rng(seed, RngStream::weights, stable_hash(name));
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = draw(init, rng);
  return Tensor::from_host(values, shape, backend_of(device).compute_dtype(), device);
}

bool at_or_below(const std::string& name, const std::string& pattern) {
  return pattern.empty() || name == pattern || name.starts_with(pattern + ".");
}

}  // namespace

void Module::parameter(const std::string& name, Tensor& slot, const Shape& shape, Init init) {
  slots_.push_back({name, &slot, shape, init, false, true});
}

void Module::buffer(const std::string& name, Tensor& slot, const Shape& shape, Init init) {
  slots_.push_back({name, &slot, shape, init, true, false});
}

void Module::child(const std::string& name, Module& module) { children_.push_back({name, &module}); }

void Module::materialize(Device device, uint64_t seed, const std::string& prefix) {
  for (Slot& slot : slots_) {
    *slot.tensor = initial(slot.shape, slot.init, device, seed, join(prefix, slot.name));
    slot.tensor->set_requires_grad(slot.trainable);
  }
  for (const Child& entry : children_) entry.module->materialize(device, seed, join(prefix, entry.name));
}

void Module::materialize_empty(Device device) {
  for (Slot& slot : slots_) {
    *slot.tensor = Tensor::empty(slot.shape, backend_of(device).compute_dtype(), device);
    slot.tensor->set_requires_grad(slot.trainable);
  }
  for (const Child& entry : children_) entry.module->materialize_empty(device);
}

void Module::collect(const std::string& prefix, bool with_buffers, std::vector<NamedTensor>& out) const {
  for (const Slot& slot : slots_) {
    if (!slot.is_buffer || with_buffers) out.push_back({join(prefix, slot.name), *slot.tensor, slot.trainable});
  }
  for (const Child& entry : children_) entry.module->collect(join(prefix, entry.name), with_buffers, out);
}

std::vector<NamedTensor> Module::parameters(const std::string& prefix) const {
  std::vector<NamedTensor> all;
  collect(prefix, false, all);
  return all;
}

std::vector<NamedTensor> Module::state(const std::string& prefix) const {
  std::vector<NamedTensor> all;
  collect(prefix, true, all);
  return all;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const Slot& slot : slots_) count += slot.is_buffer ? 0 : slot.shape.numel();
  for (const Child& entry : children_) count += entry.module->parameter_count();
  return count;
}

int64_t Module::mark_trainable(const std::string& prefix, const std::string& name, bool trainable) {
  int64_t matched = 0;
  for (Slot& slot : slots_) {
    if (slot.is_buffer || !at_or_below(join(prefix, slot.name), name)) continue;
    slot.trainable = trainable;
    if (slot.tensor->defined()) slot.tensor->set_requires_grad(trainable);
    ++matched;
  }
  for (const Child& entry : children_) {
    matched += entry.module->mark_trainable(join(prefix, entry.name), name, trainable);
  }
  return matched;
}

void Module::set_trainable(const std::string& name, bool trainable) {
  if (mark_trainable("", name, trainable) > 0 || name.empty()) return;
  std::vector<std::string> there;  // first name components of the existing parameters
  for (const NamedTensor& entry : parameters()) {
    const std::string word = entry.name.substr(0, entry.name.find('.'));
    if (std::ranges::find(there, word) == there.end()) there.push_back(word);
  }
  throw Error(fmt::format("no parameter is named '{}'; there are {}", name, fmt::join(there, ", ")));
}

void Module::set_training(bool training) {
  training_ = training;
  for (const Child& entry : children_) entry.module->set_training(training);
}

void Module::set_batch_statistics(BatchStatistics how) {
  batch_statistics_ = how;
  for (const Child& entry : children_) entry.module->set_batch_statistics(how);
}

void Module::set_step_seed(uint64_t seed) {
  dropout_ = {.step_seed = seed};
  for (const Child& entry : children_) entry.module->set_step_seed(seed ^ stable_hash(entry.name) * 0x9E3779B97F4A7C15);
}

void Module::collect_stochastic_depth(std::vector<Module*>& out) {
  if (stochastic_depth_) out.push_back(this);
  for (const Child& entry : children_) entry.module->collect_stochastic_depth(out);
}

void Module::set_stochastic_depth(const StochasticDepth& options) {
  std::vector<Module*> all;
  collect_stochastic_depth(all);
  if (all.empty() && options.rate > 0.0) throw Error("there are no blocks that could be skipped");
  const auto last = static_cast<double>(all.size()) - 1.0;
  for (size_t i = 0; i < all.size(); ++i) {
    StochasticDepth& given = all[i]->stochastic_depth_.emplace(options);
    if (!options.uniform && last > 0.0) given.rate = options.rate * static_cast<double>(i) / last;
  }
}

int64_t Module::mark_recomputation(bool wanted) {
  int64_t declared = recomputes_ ? 1 : 0;
  if (recomputes_) recomputes_ = wanted;
  for (const Child& entry : children_) declared += entry.module->mark_recomputation(wanted);
  return declared;
}

void Module::set_recomputation(bool wanted) {
  if (mark_recomputation(wanted) == 0 && wanted) throw Error("there are no blocks that could be recomputed");
}

void Module::collect_dropout(std::vector<DropoutState*>& out) const {
  out.push_back(&dropout_);
  for (const Child& entry : children_) entry.module->collect_dropout(out);
}

Tensor Module::recomputed(std::function<Tensor()> forward) const {
  if (!recomputes_.value_or(false) || !autograd::recording()) return forward();
  std::vector<DropoutState*> states;
  collect_dropout(states);
  std::vector<DropoutState> drawn;
  for (const DropoutState* state : states) drawn.push_back(*state);
  const auto trade = [states](std::vector<DropoutState>& others) {
    for (size_t i = 0; i < states.size(); ++i) std::swap(*states[i], others[i]);
  };
  return ops::recompute([=, forward = std::move(forward), again = false]() mutable {
    if (!std::exchange(again, true)) return forward();
    trade(drawn);
    Tensor y = forward();
    trade(drawn);
    return y;
  });
}

bool Module::has_dropout(const std::string& part, const std::string& prefix) const {
  const bool drops = dropout_rate_.value_or(0.0) > 0.0 || (stochastic_depth_ && stochastic_depth_->rate > 0.0);
  if (drops && at_or_below(prefix, part)) return true;
  return std::ranges::any_of(
      children_, [&](const Child& entry) { return entry.module->has_dropout(part, join(prefix, entry.name)); });
}

uint64_t Module::dropout_seed() const {
  if (!dropout_rate_ && !stochastic_depth_) {
    throw Error("a module that drops units must call declare_dropout in its constructor");
  }
  Rng rng(dropout_.step_seed, RngStream::dropout, ++dropout_.calls);
  const uint64_t high = rng.next();
  return high << 32 | rng.next();
}

void append_state(std::vector<NamedTensor>& all, std::vector<NamedTensor> more, const std::string& prefix) {
  for (NamedTensor& entry : more) all.push_back({join(prefix, entry.name), std::move(entry.tensor), entry.trainable});
}

namespace {

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16; }

void give(Tensor& target, const Tensor& source, Loading how) {
  const bool same = source.dtype() == target.dtype();
  if (how == Loading::shared && same && source.device() == target.device()) return target.share(source);
  target.copy_from(same ? source
                        : Tensor::from_host(source.to_doubles(), source.shape(), target.dtype(), source.device()));
}

std::unordered_map<std::string, Tensor> by_name(const std::vector<NamedTensor>& tensors) {
  std::unordered_map<std::string, Tensor> named;
  for (const NamedTensor& entry : tensors) named.emplace(entry.name, entry.tensor);
  return named;
}

}  // namespace

LoadReport compare_state(const std::vector<NamedTensor>& state, const std::vector<NamedTensor>& source) {
  std::unordered_map<std::string, Tensor> given = by_name(source);
  LoadReport report;
  for (const NamedTensor& entry : state) {
    const auto found = given.find(entry.name);
    if (found == given.end()) {
      report.missing.push_back(entry.name);
      continue;
    }
    const Tensor& tensor = found->second;
    if (tensor.shape() != entry.tensor.shape()) {
      report.misshapen.push_back(
          fmt::format("{}: expected {}, found {}", entry.name, entry.tensor.shape().str(), tensor.shape().str()));
    } else if (is_float(tensor.dtype()) != is_float(entry.tensor.dtype())) {
      report.misshapen.push_back(
          fmt::format("{}: expected {}, found {}", entry.name, name_of(entry.tensor.dtype()), name_of(tensor.dtype())));
    }
    given.erase(found);
  }
  for (const NamedTensor& entry : source) {
    if (given.contains(entry.name)) report.unexpected.push_back(entry.name);
  }
  return report;
}

LoadReport load_state(std::vector<NamedTensor> state, const std::vector<NamedTensor>& source, Loading how) {
  LoadReport report = compare_state(state, source);
  if (!report.complete()) return report;
  const std::unordered_map<std::string, Tensor> given = by_name(source);
  for (NamedTensor& entry : state) give(entry.tensor, given.at(entry.name), how);
  return report;
}

}  // namespace astroclip::nn
