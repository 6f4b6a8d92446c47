#include "optim/adamw.h"

#include <algorithm>
#include <cmath>

#include "backend/backend.h"

namespace astroclip::optim {

Adamw::Adamw(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales)
    : Optimizer(std::move(parameters), options, scales) {
  for (const NamedTensor& entry : parameters_) {
    const Tensor& tensor = entry.tensor;
    first_.push_back(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device()));
    second_.push_back(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device()));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    parts_.resize(std::max(parts_.size(), scales_[i].part + 1));
    parts_[scales_[i].part].push_back(i);
  }
  for (size_t p = 0; p < parts_.size(); ++p) {
    clip_states_.push_back(Tensor::zeros({3}, DType::f64, parameters_.front().tensor.device()));
  }
}

Adamw::Norm Adamw::step(const Rates& rates) {
  if (parameters_.empty()) return {};
  Backend& backend = backend_of(parameters_.front().tensor.device());
  auto* updates = updates_.mutable_data_as<int64_t>();
  std::vector<std::vector<AdamwSegment>> segments(parts_.size());
  for (size_t p = 0; p < parts_.size(); ++p) {
    std::vector<ConstView> gradients;
    for (const size_t i : parts_[p]) {
      Tensor& parameter = parameters_[i].tensor;
      if (!parameter.grad().defined()) continue;
      gradients.emplace_back(parameter.grad());
      const Scales& scales = scales_[i];
      const bool decays = parameter.rank() > 1 || (parameter.rank() == 1 && options_.decay_vectors);
      segments[p].push_back({parameter, gradients.back(), first_[i], second_[i],
                             rates.step < scales.frozen_steps ? 0.0 : rates.learning_rate * scales.learning_rate,
                             decays ? rates.weight_decay.value_or(options_.weight_decay) * scales.weight_decay : 0.0,
                             updates[i] + 1});
    }
    backend.gradient_clip(gradients, options_.clip_norm, clip_states_[p]);
  }
  // The kernel leaves a part alone whose norm is not finite. Of several parts all stay, so they are asked first.
  const auto update = [&] {
    for (size_t p = 0; p < parts_.size(); ++p) {
      backend.adamw(segments[p], {options_.beta1, options_.beta2, options_.epsilon, clip_states_[p]});
    }
  };
  if (parts_.size() == 1) update();
  const Norm norm = read_norm();
  if (!norm.finite) return norm;  // nothing was updated; the gradients stay for whoever asks which went bad
  if (parts_.size() > 1) update();
  for (size_t i = 0; i < parameters_.size(); ++i) updates[i] += parameters_[i].tensor.grad().defined() ? 1 : 0;
  clear_gradients();
  return norm;
}

Adamw::Norm Adamw::read_norm() const {
  Norm norm;
  double squares = 0.0;
  for (const Tensor& clip_state : clip_states_) {
    const std::vector<double> state = clip_state.to_doubles();
    norm.parts.push_back(state[0]);
    norm.finite = norm.finite && state[2] != 0.0;
    squares += state[0] * state[0];
  }
  norm.norm = norm.parts.size() == 1 ? norm.parts[0] : std::sqrt(squares);
  return norm;
}

std::vector<NamedTensor> Adamw::state() const {
  std::vector<NamedTensor> all = {{"updates", updates_, false}};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    all.push_back({"first_moment." + parameters_[i].name, first_[i], false});
    all.push_back({"second_moment." + parameters_[i].name, second_[i], false});
  }
  return all;
}

}  // namespace astroclip::optim
