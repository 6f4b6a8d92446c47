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
}

void Adamw::update(const Rates& rates) {
  Backend& backend = backend_of(parameters_.front().tensor.device());
  std::vector<std::vector<AdamwSegment>> segments(parts_.size());
  for (size_t p = 0; p < parts_.size(); ++p) {
    for (const size_t i : parts_[p]) {
      Tensor& parameter = parameters_[i].tensor;
      if (!parameter.grad().defined()) continue;
      const Tensor gradient = parameter.grad();
      segments[p].push_back(
          {parameter, gradient, first_[i], second_[i], rate_of(i, rates), decay_of(i, rates), updates_of(i) + 1});
    }
  }
  clip_gradients();
  for (size_t p = 0; p < parts_.size(); ++p) {
    backend.adamw(segments[p], {options_.beta1, options_.beta2, options_.epsilon, clip_states_[p]});
  }
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
