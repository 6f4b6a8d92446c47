#include "optim/sgd.h"

#include <gtest/gtest.h>

#include <cmath>

namespace astroclip::optim {
namespace {

Tensor with_gradient(double value, double gradient) {
  const auto of = [](double number) {
    return Tensor::from_host(std::vector<double>{number, number}, {2}, DType::f64, {DeviceKind::reference});
  };
  Tensor tensor = of(value);
  tensor.set_requires_grad(true);
  tensor.set_grad(of(gradient));
  return tensor;
}

/// By hand: g = gradient + 0.1 · w, v = 0.5 · v + g, w −= 0.2 · v.
TEST(Sgd, MovesByGradientsDecayAndMomentum) {
  Tensor w = with_gradient(1.0, 2.0);
  Sgd sgd({{"w", w}}, {.beta1 = 0.5, .weight_decay = 0.1});
  sgd.step({0.2});
  EXPECT_NEAR(w.to_doubles()[0], 1.0 - 0.2 * 2.1, 1e-15);
  EXPECT_FALSE(w.grad().defined());
  w.set_grad(with_gradient(0.0, -1.0).grad());
  sgd.step({0.2});
  const double velocity = 0.5 * 2.1 - 1.0 + 0.1 * 0.58;
  EXPECT_NEAR(w.to_doubles()[0], 0.58 - 0.2 * velocity, 1e-15);
}

TEST(Sgd, ClipsEachPartAndLeavesWhatHasNoGradient) {
  const Tensor small = with_gradient(0.0, 3.0), large = with_gradient(0.0, 30.0);  // norms √18 and √1800
  Tensor still = with_gradient(1.0, 0.0);
  still.set_grad({});
  Sgd sgd({{"small", small}, {"large", large}, {"still", still}}, {.beta1 = 0.0, .weight_decay = 0.1, .clip_norm = 5.0},
          {{}, {.part = 1}, {}});
  EXPECT_NEAR(sgd.step({1.0}).norm, std::sqrt(1818.0), 1e-12);
  EXPECT_NEAR(small.to_doubles()[0], -3.0, 1e-12);
  EXPECT_NEAR(large.to_doubles()[0], -30.0 * 5.0 / std::sqrt(1800.0), 1e-5);
  EXPECT_EQ(still.to_doubles()[0], 1.0);
}

TEST(Sgd, NothingMovesUnlessAllIsFinite) {
  const Tensor good = with_gradient(1.0, 1.0), bad = with_gradient(1.0, std::nan(""));
  Sgd sgd({{"good", good}, {"bad", bad}}, {}, {{}, {.part = 1}});
  EXPECT_FALSE(sgd.step({0.1}).finite);
  EXPECT_EQ(good.to_doubles()[0], 1.0);
  EXPECT_EQ(sgd.first_non_finite(), "bad");
}

}  // namespace
}  // namespace astroclip::optim
