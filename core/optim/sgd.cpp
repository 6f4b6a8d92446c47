#include "optim/sgd.h"

#include "autograd/tape.h"
#include "ops/operators.h"

namespace astroclip::optim {

Sgd::Sgd(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales)
    : Optimizer(std::move(parameters), options, scales) {
  for (const NamedTensor& entry : parameters_) {
    const Tensor& tensor = entry.tensor;
    momentum_.push_back(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device()));
  }
}

void Sgd::update(const Rates& rates) {
  const autograd::NoGrad no_grad;
  clip_gradients();
  const Norm norm = read_norm();
  if (!norm.finite) return;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& parameter = parameters_[i].tensor;
    if (!parameter.grad().defined()) continue;
    const Tensor gradient = norm.factors[scales_[i].part] * parameter.grad() + decay_of(i, rates) * parameter;
    momentum_[i].copy_from(options_.beta1 * momentum_[i] + gradient);
    parameter.copy_from(parameter - rate_of(i, rates) * momentum_[i]);
  }
}

std::vector<NamedTensor> Sgd::state() const {
  std::vector<NamedTensor> all = {{"updates", updates_, false}};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    all.push_back({"momentum." + parameters_[i].name, momentum_[i], false});
  }
  return all;
}

}  // namespace astroclip::optim
