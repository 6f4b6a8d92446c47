#pragma once

#include <gtest/gtest.h>

#include "testing/gradient_check.h"

namespace astroclip::testing_support {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Expects the gradient of every element of every input to agree with the central difference.
inline void expect_gradients(const std::string& name, const Function& f, const std::vector<Tensor>& inputs, Rng& rng) {
  std::vector<nn::NamedTensor> named;
  for (const Tensor& input : inputs) named.push_back({"input " + std::to_string(named.size()), input});
  EXPECT_EQ(gradient_errors([&] { return f(inputs); }, named, rng), "") << name;
}

}  // namespace astroclip::testing_support
