#include "bench/inputs.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace astroclip::bench {

namespace {

constexpr int64_t different = 1 << 20;

/// Uniform in [0, 1).
const std::vector<double>& unit_values() {
  static const std::vector<double> values = [] {
    std::vector<double> drawn(different);
    Rng rng(1, RngStream::tests);
    for (double& value : drawn) value = rng.uniform();
    return drawn;
  }();
  return values;
}

}  // namespace

Tensor uniform(const Shape& shape, double low, double high, Device device) {
  const DType dtype = backend_of(device).compute_dtype();
  const int64_t count = std::min(shape.numel(), different);
  std::vector<double> values(unit_values().begin(), unit_values().begin() + count);
  for (double& value : values) value = low + (high - low) * value;
  const Tensor first = Tensor::from_host(values, {count}, dtype, device);
  Tensor tensor = Tensor::empty(shape, dtype, device);
  Memory& memory = memory_of(device);
  auto* bytes = static_cast<std::byte*>(tensor.mutable_data());
  memory.copy(bytes, first.data(), first.bytes());
  for (int64_t done = first.bytes(); done < tensor.bytes(); done *= 2) {
    memory.copy(bytes + done, bytes, std::min(done, tensor.bytes() - done));
  }
  return tensor;
}

void set_weights(const std::vector<NamedTensor>& state) {
  for (const NamedTensor& entry : state) {
    Tensor tensor = entry.tensor;
    if (tensor.rank() > 1) {
      const double width = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
      const double bound = std::sqrt(3.0 / width);
      tensor.copy_from(uniform(tensor.shape(), -bound, bound, tensor.device()));
    } else {
      const bool is_shift = entry.name.ends_with("bias") || entry.name.ends_with("mean");
      backend_of(tensor.device()).fill(tensor, is_shift ? 0.0 : 1.0);
    }
  }
}

void set_weights(nn::Module& module, Device device) {
  module.materialize_empty(device);
  set_weights(module.state());
}

}  // namespace astroclip::bench
