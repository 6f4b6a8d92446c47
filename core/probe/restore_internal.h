#pragma once

#include <map>
#include <memory>
#include <string>

#include "probe/posterior.h"

namespace astroclip::probe {

using Tensors = std::map<std::string, Tensor>;

/// Throws Error unless it is there with so many axes.
const Tensor& tensor_of(const Tensors& tensors, const std::string& name, int rank);

std::unique_ptr<Probe> restore_knn(const Tensors& tensors);
std::unique_ptr<Probe> restore_ridge(const Tensors& tensors);
std::unique_ptr<Probe> restore_logistic(const Tensors& tensors);
std::unique_ptr<Probe> restore_posterior(const Tensors& tensors, FlowKind kind);
std::unique_ptr<Probe> restore_mlp(const Tensors& tensors, Target target);

/// [values], float64.
Tensor as_vector(const std::vector<double>& values);

}  // namespace astroclip::probe
