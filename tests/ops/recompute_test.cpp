// What recomputing changes and what not: memory, but no bit.
#include <gmock/gmock.h>

#include "autograd/tape.h"
#include "ops/operators.h"
#include "support/devices.h"
#include "testing/gradient_check.h"

namespace astroclip::ops {
namespace {

using testing_support::random_tensor;
using testing_support::reference_device;

TEST(Recompute, KeepsNothingOfTheFunctionUntilTheBackwardPass) {
  Rng rng(1, RngStream::tests);
  Tensor x = random_tensor({4, 3}, rng);
  x.set_requires_grad(true);
  std::vector<std::weak_ptr<Storage>> inside;
  const Tensor y = recompute([&] {
    const Tensor between = exp(x);
    inside.push_back(between.storage());
    return square(between);
  });
  ASSERT_EQ(inside.size(), 1U);
  EXPECT_TRUE(inside[0].expired());
  autograd::backward(sum(y));
  ASSERT_EQ(inside.size(), 2U);
  EXPECT_TRUE(inside[1].expired());
}

TEST(Recompute, CallsOnceWhereNoGradientIsWanted) {
  Rng rng(2, RngStream::tests);
  Tensor x = random_tensor({4, 3}, rng);
  x.set_requires_grad(true);
  int calls = 0;
  const auto run = [&](const Tensor& input) {
    return recompute([&] {
      ++calls;
      return exp(input);
    });
  };
  EXPECT_FALSE(run(x.detach()).requires_grad());
  const autograd::NoGrad guard;
  EXPECT_FALSE(run(x).requires_grad());
  EXPECT_EQ(calls, 2);
}

class Recomputed : public testing_support::OnEachBackend {};

/// In the precision of the first call, whatever that of the backward pass is, and where weights are folded without one.
TEST_P(Recomputed, GivesTheSameBits) {
  const Backend& backend = backend_of(device());
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (!backend.supports(precision)) continue;
    std::vector<std::vector<double>> given[2];
    for (const bool recomputes : {false, true}) {
      Rng rng(3, RngStream::tests);
      const auto draw = [&](const Shape& shape) {
        Tensor drawn =
            Tensor::from_host(random_tensor(shape, rng).to_doubles(), shape, backend.compute_dtype(), device());
        drawn.set_requires_grad(true);
        return drawn;
      };
      const Tensor x = draw({32, 64}), w1 = draw({128, 64}), b1 = draw({128}), w2 = draw({64, 128}), scale = draw({64});
      const auto block = [=](const Tensor& input) {
        const auto function = [=] {
          const Tensor hidden = linear(input, w1, b1, {.activation = Activation::gelu, .readers = Readers::products});
          return linear(hidden, w2, {}, {.residual = input, .scale = scale});
        };
        return recomputes ? recompute(function) : function();
      };
      std::vector<std::vector<double>>& all = given[recomputes];
      Tensor y;
      {
        const PrecisionScope scope(precision);
        y = block(x) + block(block(x * 2));
      }
      all.push_back(y.to_doubles());
      autograd::backward(sum(square(y)));
      for (const Tensor& leaf : {x, w1, b1, w2, scale}) all.push_back(leaf.grad().to_doubles());
    }
    EXPECT_EQ(given[1], given[0]) << (precision == Precision::bf16 ? "bf16" : "f32");
  }
}

INSTANTIATE_TEST_SUITE_P(, Recomputed, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::ops
