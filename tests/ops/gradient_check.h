#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "base/rng.h"
#include "tensor/tensor.h"

namespace astroclip::testing_support {

inline constexpr Device reference_device{DeviceKind::reference};

inline Tensor random_tensor(const Shape& shape, Rng& rng, double low = -1.0, double high = 1.0) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = rng.uniform(low, high);
  return Tensor::from_host(values, shape, DType::f64, reference_device);
}

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Σ cotangent · f(inputs), outside the tape.
inline double projected(const Function& f, const std::vector<Tensor>& inputs, const std::vector<double>& cotangent) {
  const autograd::NoGrad guard;
  const std::vector<double> values = f(inputs).to_doubles();
  double sum = 0.0;
  for (size_t i = 0; i < values.size(); ++i) sum += cotangent[i] * values[i];
  return sum;
}

/// Compares the recorded gradient of every element of every input with the central difference, in float64, under a
/// random cotangent.
inline void expect_gradients(const std::string& name, const Function& f, std::vector<Tensor> inputs, Rng& rng) {
  for (Tensor& input : inputs) input.set_requires_grad(true);
  const Tensor output = f(inputs);
  const Tensor cotangent = random_tensor(output.shape(), rng);
  autograd::backward(output, cotangent);
  const std::vector<double> weights = cotangent.to_doubles();
  constexpr double step = 1e-5;
  for (size_t k = 0; k < inputs.size(); ++k) {
    ASSERT_TRUE(inputs[k].grad().defined()) << name << ": input " << k << " got no gradient";
    ASSERT_EQ(inputs[k].grad().shape(), inputs[k].shape()) << name << ": input " << k;
    const std::vector<double> gradient = inputs[k].grad().to_doubles();
    for (int64_t i = 0; i < inputs[k].numel(); ++i) {
      std::vector<Tensor> moved(inputs.begin(), inputs.end());
      const auto at = [&](double delta) {
        moved[k] = inputs[k].clone();
        moved[k].mutable_data_as<double>()[i] += delta;
        return projected(f, moved, weights);
      };
      const double expected = (at(step) - at(-step)) / (2.0 * step);
      EXPECT_NEAR(gradient[static_cast<size_t>(i)], expected, 1e-6 * std::max(1.0, std::abs(expected)))
          << name << ": input " << k << ", element " << i;
    }
  }
}

}  // namespace astroclip::testing_support
