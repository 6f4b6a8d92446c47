#include "optim/optimizer.h"

#include <cmath>
#include <map>

#include "optim/adamw.h"

namespace astroclip::optim {

namespace {

using Make = std::unique_ptr<Optimizer> (*)(std::vector<NamedTensor>, const Optimizer::Options&,
                                            const std::vector<Scales>&);

template <class Kind>
std::unique_ptr<Optimizer> make(std::vector<NamedTensor> parameters, const Optimizer::Options& options,
                                const std::vector<Scales>& scales) {
  return std::make_unique<Kind>(std::move(parameters), options, scales);
}

const std::map<std::string, Make> optimizers = {{"adamw", make<Adamw>}};

}  // namespace

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : optimizers) names.push_back(name);
  return names;
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::vector<NamedTensor> parameters,
                                          const Optimizer::Options& options, const std::vector<Scales>& scales) {
  return optimizers.at(name)(std::move(parameters), options, scales);
}

Optimizer::Optimizer(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales)
    : options_(options) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].trainable) continue;
    parameters_.push_back(std::move(parameters[i]));
    scales_.push_back(scales.empty() ? Scales{} : scales[i]);
  }
  updates_ = Tensor::zeros({static_cast<int64_t>(parameters_.size())}, DType::i64, Device::host());
}

std::set<std::string> Optimizer::reached() const {
  std::set<std::string> names;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (updates_.data_as<int64_t>()[i] > 0) names.insert(parameters_[i].name);
  }
  return names;
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
