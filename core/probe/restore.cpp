#include <fmt/format.h>

#include "base/error.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

const Tensor& tensor_of(const Tensors& tensors, const std::string& name, int rank) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error(fmt::format("the probe has no tensor '{}'", name));
  if (found->second.rank() == rank) return found->second;
  throw Error(fmt::format("the probe's tensor '{}' has the shape {}, {} axes were expected", name,
                          found->second.shape().str(), rank));
}

Tensor as_vector(const std::vector<double>& values) {
  return Tensor::from_host(values, {static_cast<int64_t>(values.size())}, DType::f64, Device::host());
}

std::vector<int64_t> layer_widths(const Tensors& tensors, const std::string& prefix) {
  std::vector<int64_t> widths = {tensor_of(tensors, prefix + "layers.0.weight", 2).size(1)};
  for (size_t layer = 0; tensors.contains(fmt::format("{}layers.{}.weight", prefix, layer)); ++layer) {
    widths.push_back(tensor_of(tensors, fmt::format("{}layers.{}.weight", prefix, layer), 2).size(0));
  }
  return widths;
}

std::unique_ptr<Probe> restore(const std::string& method, const Tensors& tensors, Target target) {
  if (method == "knn") return restore_knn(tensors);
  if (method == "ridge") return restore_ridge(tensors);
  if (method == "logistic") return restore_logistic(tensors);
  if (method == "mlp") return restore_mlp(tensors, target);
  if (method == "attentive") return restore_attentive(tensors, target);
  for (const FlowKind kind : {FlowKind::elementwise, FlowKind::coupling, FlowKind::autoregressive}) {
    if (method == flow_method(kind)) return restore_posterior(tensors, kind);
  }
  throw Error(fmt::format("the probe's method is \"{}\", which is none of a probe", method));
}

}  // namespace astroclip::probe
