#include "testing/gradient_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"

namespace astroclip::testing_support {

namespace {

/// Σ cotangent · f, outside the tape.
double projected(const std::function<Tensor()>& f, const std::vector<double>& cotangent) {
  const autograd::NoGrad guard;
  const std::vector<double> values = f().to_doubles();
  return std::inner_product(values.begin(), values.end(), cotangent.begin(), 0.0);
}

std::vector<int64_t> drawn(int64_t count, int64_t wanted, Rng& rng) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), int64_t{0});
  if (wanted == 0 || wanted >= count) return all;
  rng.shuffle(std::span(all));
  all.resize(static_cast<size_t>(wanted));
  return all;
}

double central_difference(const std::function<Tensor()>& f, Tensor& tensor, int64_t at,
                          const std::vector<double>& cotangent) {
  constexpr double step = 1e-5;
  const double value = tensor.to_doubles()[static_cast<size_t>(at)];
  const auto moved = [&](double to) {
    tensor.mutable_data_as<double>()[at] = to;
    return projected(f, cotangent);
  };
  const double slope = (moved(value + step) - moved(value - step)) / (2.0 * step);
  tensor.mutable_data_as<double>()[at] = value;
  return slope;
}

}  // namespace

Tensor random_tensor(const Shape& shape, Rng& rng, double low, double high) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = rng.uniform(low, high);
  return Tensor::from_host(values, shape, DType::f64, reference_device);
}

std::string gradient_errors(const std::function<Tensor()>& f, std::vector<NamedTensor> tensors, Rng& rng,
                            int64_t elements) {
  for (NamedTensor& entry : tensors) {
    entry.tensor.set_requires_grad(true);
    entry.tensor.set_grad({});
  }
  const Tensor output = f();
  const Tensor cotangent = random_tensor(output.shape(), rng);
  autograd::backward(output, cotangent);
  const std::vector<double> weights = cotangent.to_doubles();
  std::string errors;
  for (auto& [name, tensor, trainable] : tensors) {
    if (!tensor.grad().defined()) {
      errors += fmt::format("{}: got no gradient; leave it out if the function does not depend on it\n", name);
      continue;
    }
    if (tensor.grad().shape() != tensor.shape()) {
      errors += fmt::format("{}: expected a gradient {}, found {}\n", name, tensor.shape().str(),
                            tensor.grad().shape().str());
      continue;
    }
    const std::vector<double> gradient = tensor.grad().to_doubles();
    for (const int64_t at : drawn(tensor.numel(), elements, rng)) {
      const double expected = central_difference(f, tensor, at, weights), found = gradient[static_cast<size_t>(at)];
      if (std::abs(found - expected) <= 1e-6 * std::max(1.0, std::abs(expected))) continue;
      errors += fmt::format("{}: element {}: expected a gradient of {}, found {}\n", name, at, expected, found);
    }
  }
  return errors;
}

}  // namespace astroclip::testing_support
