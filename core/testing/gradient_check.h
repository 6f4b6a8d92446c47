#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "nn/module.h"
#include "tensor/tensor.h"

/// Helpers for tests, of this project and of plugins that are built elsewhere; no test framework is needed.
namespace astroclip::testing_support {

inline constexpr Device reference_device = Device::reference();

/// Uniform values in float64 on the reference backend, where gradients are checked.
Tensor random_tensor(const Shape& shape, Rng& rng, double low = -1.0, double high = 1.0);

/// Compares the recorded gradients of `f` with central differences in float64, under a random cotangent (a plain sum
/// would hide a softmax whose gradient is wrong). `tensors` are those that `f` reads, inputs or parameters, on the
/// reference backend; each value is moved in place and put back. Of each tensor `elements` values are tried, drawn by
/// `rng`; 0: all. Gives "" when all agree to 1e-6 of the larger of 1 and the difference; else what does not, line by
/// line: EXPECT_EQ(gradient_errors(…), "").
std::string gradient_errors(const std::function<Tensor()>& f, std::vector<NamedTensor> tensors, Rng& rng,
                            int64_t elements = 0);

}  // namespace astroclip::testing_support
