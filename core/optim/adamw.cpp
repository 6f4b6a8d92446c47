#include "optim/adamw.h"

#include "backend/backend.h"

namespace astroclip::optim {

Adamw::Adamw(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales)
    : Optimizer(std::move(parameters), options, scales) {
  for (const NamedTensor& entry : parameters_) {
    const Tensor& tensor = entry.tensor;
    first_.push_back(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device()));
    second_.push_back(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device()));
  }
  if (!parameters_.empty()) clip_state_ = Tensor::zeros({3}, DType::f64, parameters_.front().tensor.device());
}

Adamw::Norm Adamw::step(double learning_rate) {
  if (parameters_.empty()) return {};
  Backend& backend = backend_of(clip_state_.device());
  std::vector<size_t> reached;
  std::vector<ConstView> gradients;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].tensor.grad().defined()) continue;
    reached.push_back(i);
    gradients.emplace_back(parameters_[i].tensor.grad());
  }
  backend.gradient_clip(gradients, options_.clip_norm, clip_state_);

  auto* updates = updates_.mutable_data_as<int64_t>();
  std::vector<AdamwSegment> segments;
  for (const size_t i : reached) {
    Tensor& parameter = parameters_[i].tensor;
    const bool decays = parameter.rank() > 1 || (parameter.rank() == 1 && options_.decay_vectors);
    segments.push_back({parameter, gradients[segments.size()], first_[i], second_[i],
                        learning_rate * scales_[i].learning_rate,
                        decays ? options_.weight_decay * scales_[i].weight_decay : 0.0, updates[i] + 1});
  }
  backend.adamw(segments, {options_.beta1, options_.beta2, options_.epsilon, clip_state_});
  const std::vector<double> state = clip_state_.to_doubles();
  const Norm norm{state[0], state[2] != 0.0};
  if (!norm.finite) return norm;  // nothing was updated; the gradients stay for whoever asks which went bad
  for (const size_t i : reached) ++updates[i];
  clear_gradients();
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
