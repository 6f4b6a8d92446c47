#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "probe/network_training.h"
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
std::unique_ptr<Probe> restore_attentive(const Tensors& tensors, Target target);
/// A network of the layers that the tensors are of, with their values.
std::unique_ptr<Probe> restore_network(Network network, const Tensors& tensors, Target target);
/// Widths of the layers "PREFIXlayers.N.weight": that of the input, then those of their outputs.
std::vector<int64_t> layer_widths(const Tensors& tensors, const std::string& prefix);

/// [values], float64.
Tensor as_vector(const std::vector<double>& values);

}  // namespace astroclip::probe
