#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "backend/backend.h"
#include "optim/adamw.h"
#include "optim/sgd.h"

namespace astroclip::optim {

namespace {

using Make = std::unique_ptr<Optimizer> (*)(std::vector<NamedTensor>, const Optimizer::Options&,
                                            const std::vector<Scales>&);

template <class Kind>
std::unique_ptr<Optimizer> make(std::vector<NamedTensor> parameters, const Optimizer::Options& options,
                                const std::vector<Scales>& scales) {
  return std::make_unique<Kind>(std::move(parameters), options, scales);
}

struct Kind {
  Make make;
  int64_t moments;
};
const std::map<std::string, Kind> optimizers = {{"adamw", {make<Adamw>, 2}}, {"sgd", {make<Sgd>, 1}}};

}  // namespace

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : optimizers) names.push_back(name);
  return names;
}

int64_t moments_of(const std::string& name) { return optimizers.at(name).moments; }

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::vector<NamedTensor> parameters,
                                          const Optimizer::Options& options, const std::vector<Scales>& scales) {
  return optimizers.at(name).make(std::move(parameters), options, scales);
}

Optimizer::Optimizer(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales)
    : options_(options) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].trainable) continue;
    parameters_.push_back(std::move(parameters[i]));
    scales_.push_back(scales.empty() ? Scales{} : scales[i]);
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    parts_.resize(std::max(parts_.size(), scales_[i].part + 1));
    parts_[scales_[i].part].push_back(i);
  }
  for (size_t p = 0; p < parts_.size(); ++p) {
    clip_states_.push_back(Tensor::zeros({3}, DType::f64, parameters_.front().tensor.device()));
  }
  if (!parameters_.empty()) whole_ = Tensor::zeros({3}, DType::f64, parameters_.front().tensor.device());
  updates_ = Tensor::zeros({static_cast<int64_t>(parameters_.size())}, DType::i64, Device::host());
}

Optimizer::Norm Optimizer::step(const Rates& rates) {
  if (parameters_.empty()) return {};
  update(rates);
  Norm norm = read_norm();
  if (!norm.finite) return norm;
  count_updates();
  clear_gradients();
  return norm;
}

void Optimizer::queue_step(const Rates& rates) {
  if (parameters_.empty()) return;
  update(rates);
  count_updates();
}

void Optimizer::count_updates() {
  auto* updates = updates_.mutable_data_as<int64_t>();
  for (size_t i = 0; i < parameters_.size(); ++i) updates[i] += parameters_[i].tensor.grad().defined() ? 1 : 0;
}

std::set<std::string> Optimizer::reached() const {
  std::set<std::string> names;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (updates_of(i) > 0) names.insert(parameters_[i].name);
  }
  return names;
}

void Optimizer::clip_gradients() {
  Backend& backend = backend_of(whole_.device());
  std::vector<ConstView> all;
  for (size_t p = 0; p < parts_.size(); ++p) {
    std::vector<ConstView> gradients;
    for (const size_t i : parts_[p]) {
      const Tensor gradient = parameters_[i].tensor.grad();
      if (gradient.defined()) gradients.emplace_back(gradient);
    }
    backend.gradient_clip(gradients, options_.clip_norm, clip_states_[p]);
    all.insert(all.end(), gradients.begin(), gradients.end());
  }
  if (parts_.size() == 1) return;
  // Of several parts all stay or none.
  constexpr int64_t flag = 2 * sizeof(double);
  backend.gradient_clip(all, 0.0, whole_);
  const auto* of_all = static_cast<const std::byte*>(whole_.data()) + flag;
  for (Tensor& state : clip_states_) {
    backend.copy_blocks(of_all, 1, static_cast<std::byte*>(state.mutable_data()) + flag, 1, 1, 1, DType::f64, false);
  }
}

Optimizer::Norm Optimizer::read_norm() const {
  std::vector<double> states;
  for (const Tensor& state : clip_states_) {
    const std::vector<double> own = state.to_doubles();
    states.insert(states.end(), own.begin(), own.end());
  }
  return norm_of(states);
}

Optimizer::Norm Optimizer::norm_of(std::span<const double> norms) {
  Norm norm;
  double squares = 0.0;
  for (; norms.size() >= 3; norms = norms.subspan(3)) {
    norm.parts.push_back(norms[0]);
    norm.factors.push_back(norms[1]);
    norm.finite = norm.finite && norms[2] != 0.0;
    squares += norms[0] * norms[0];
  }
  norm.norm = norm.parts.size() == 1 ? norm.parts[0] : std::sqrt(squares);
  return norm;
}

double Optimizer::rate_of(size_t parameter, const Rates& rates) const {
  const Scales& scales = scales_[parameter];
  return rates.step < scales.frozen_steps ? 0.0 : rates.learning_rate * scales.learning_rate;
}

double Optimizer::decay_of(size_t parameter, const Rates& rates) const {
  const int rank = parameters_[parameter].tensor.rank();
  const bool decays = rank > 1 || (rank == 1 && options_.decay_vectors);
  return decays ? rates.weight_decay.value_or(options_.weight_decay) * scales_[parameter].weight_decay : 0.0;
}

void Optimizer::clear_gradients() {
  for (NamedTensor& entry : parameters_) entry.tensor.set_grad({});
}

std::string Optimizer::first_non_finite() const {
  for (const NamedTensor& entry : parameters_) {
    if (!entry.tensor.grad().defined()) continue;
    for (const double value : entry.tensor.grad().to_doubles()) {
      if (!std::isfinite(value)) return entry.name;
    }
  }
  return "";
}

}  // namespace astroclip::optim
