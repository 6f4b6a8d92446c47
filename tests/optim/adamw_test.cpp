#include "optim/adamw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "optim/weight_average.h"
#include "support/devices.h"

namespace astroclip::optim {
namespace {

TEST(Adamw, NothingMovesWhenAGradientIsNotFinite) {
  const Device device{DeviceKind::reference};
  Tensor good = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f64, device);
  Tensor bad = Tensor::from_host(std::vector<double>{3, 4}, {2}, DType::f64, device);
  good.set_requires_grad(true);
  bad.set_requires_grad(true);
  Adamw adamw({{"good", good}, {"bad", bad}}, {.weight_decay = 0.1});
  good.set_grad(Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  bad.set_grad(Tensor::from_host(std::vector<double>{1, std::nan("")}, {2}, DType::f64, device));
  EXPECT_FALSE(adamw.step({0.1}).finite);
  EXPECT_EQ(adamw.first_non_finite(), "bad");
  EXPECT_EQ(good.to_doubles(), (std::vector<double>{1, 2}));
  EXPECT_EQ(bad.to_doubles(), (std::vector<double>{3, 4}));
  EXPECT_TRUE(adamw.reached().empty());
}

TEST(Adamw, FrozenParametersTakeNoPart) {
  const Device device{DeviceKind::reference};
  Tensor frozen = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f64, device);
  const Adamw adamw({{"frozen", frozen, false}}, {});
  EXPECT_TRUE(adamw.parameters().empty());
}

/// One f64 tensor with a gradient.
Tensor weight(double value, double gradient) {
  Tensor tensor = Tensor::from_host(std::vector<double>{value, value}, {2}, DType::f64, {DeviceKind::reference});
  tensor.set_requires_grad(true);
  tensor.set_grad(Tensor::from_host(std::vector<double>{gradient, gradient}, {2}, DType::f64, tensor.device()));
  return tensor;
}

TEST(Adamw, ScalesAreFactorsOnRateAndDecay) {
  Tensor plain = weight(2.0, 0.5), slow = weight(2.0, 0.5), still = weight(2.0, 0.5);
  Adamw adamw({{"plain", plain}, {"frozen", plain, false}, {"slow", slow}, {"still", still}}, {.weight_decay = 0.1},
              {{}, {100.0, 100.0}, {0.25, 3.0}, {1.0, 0.0}});
  adamw.step({0.01});
  // The first step of Adam moves by the learning rate, whatever the gradient's size; decay is multiplied by the rate.
  const auto moved = [](double rate, double decay) { return 2.0 * (1.0 - rate * decay) - rate; };
  EXPECT_NEAR(plain.to_doubles()[0], moved(0.01, 0.1), 1e-9);
  EXPECT_NEAR(slow.to_doubles()[1], moved(0.0025, 0.3), 1e-9);
  EXPECT_NEAR(still.to_doubles()[0], moved(0.01, 0.0), 1e-9);
}

std::vector<double> state_of(const Adamw& adamw, const std::string& name) {
  for (const NamedTensor& entry : adamw.state()) {
    if (entry.name == name) return entry.tensor.to_doubles();
  }
  return {};
}

/// As torch.optim.AdamW leaves parameters whose grad is None.
TEST(Adamw, AParameterWithoutAGradientIsLeftAlone) {
  Tensor used = weight(2.0, 3.0), unused = weight(2.0, 0.0), sometimes = weight(2.0, 4.0);
  unused.set_grad({});
  Adamw adamw({{"used", used}, {"unused", unused}, {"sometimes", sometimes}}, {.weight_decay = 0.1});
  EXPECT_NEAR(adamw.step({0.01}).norm, std::sqrt(2.0 * (9.0 + 16.0)), 1e-12);
  EXPECT_THAT(adamw.reached(), testing::ElementsAre("sometimes", "used"));
  const std::vector<double> after_one = sometimes.to_doubles(), moment = state_of(adamw, "first_moment.sometimes");
  used.set_grad(used.clone());
  adamw.step({0.01});
  EXPECT_EQ(unused.to_doubles(), (std::vector<double>{2.0, 2.0}));
  EXPECT_EQ(state_of(adamw, "second_moment.unused"), (std::vector<double>{0.0, 0.0}));
  EXPECT_EQ(sometimes.to_doubles(), after_one);
  EXPECT_EQ(state_of(adamw, "first_moment.sometimes"), moment);
  EXPECT_EQ(state_of(adamw, "updates"), (std::vector<double>{2.0, 0.0, 1.0}));
}

/// Adam's first step moves by the learning rate: the moments' bias is corrected by each parameter's own updates.
TEST(Adamw, AParameterReachedLateBeginsAtItsOwnFirstStep) {
  Tensor early = weight(2.0, 0.5), late = weight(2.0, 0.0);
  late.set_grad({});
  Adamw adamw({{"early", early}, {"late", late}}, {});
  for (int step = 0; step < 5; ++step) {
    adamw.step({0.01});
    early.set_grad(weight(0.0, 0.5).grad());
  }
  late.set_grad(weight(0.0, -7.0).grad());
  adamw.step({0.01});
  EXPECT_NEAR(late.to_doubles()[0], 2.01, 1e-8);
}

/// Each part's norm is bounded by itself, and one that is not finite holds all parts back.
TEST(Adamw, PartsAreClippedApart) {
  const auto moment_with = [](const Scales& scales, size_t parts) {
    const Tensor small = weight(1.0, 3.0), large = weight(1.0, 30.0);  // norms √18 and √1800
    Adamw adamw({{"small", small}, {"large", large}}, {.beta1 = 0.0, .clip_norm = 5.0}, {{}, scales});
    const auto norm = adamw.step({0.01});
    EXPECT_NEAR(norm.norm, std::sqrt(1818.0), 1e-12);
    EXPECT_EQ(norm.parts.size(), parts);
    return state_of(adamw, "first_moment.small")[0];
  };
  EXPECT_NEAR(moment_with({.part = 1}, 2), 3.0, 1e-5);
  EXPECT_NEAR(moment_with({}, 1), 3.0 * 5.0 / std::sqrt(1818.0), 1e-5);

  const Tensor good = weight(1.0, 1.0), bad = weight(1.0, std::nan(""));
  Adamw adamw({{"good", good}, {"bad", bad}}, {}, {{}, {.part = 1}});
  EXPECT_FALSE(adamw.step({0.1}).finite);
  EXPECT_EQ(good.to_doubles()[0], 1.0);
}

/// At rate 0 a weight stays and its moments move.
TEST(Adamw, FrozenStepsLetMomentsRunOn) {
  Tensor late = weight(1.0, 2.0);
  Adamw adamw({{"late", late}}, {.beta1 = 0.5, .weight_decay = 0.1}, {{.frozen_steps = 1}});
  adamw.step({.learning_rate = 0.1, .step = 0});
  EXPECT_EQ(late.to_doubles()[0], 1.0);
  EXPECT_EQ(state_of(adamw, "first_moment.late")[0], 1.0);
  late.set_grad(weight(0.0, 2.0).grad());
  adamw.step({.learning_rate = 0.1, .weight_decay = 0.5, .step = 1});
  // The decay takes 0.1 · 0.5; a constant gradient moves by the rate.
  EXPECT_NEAR(late.to_doubles()[0], 0.95 - 0.1, 1e-6);
}

TEST(Adamw, WithoutAnyGradientNothingMoves) {
  Tensor still = weight(2.0, 0.0);
  still.set_grad({});
  Adamw adamw({{"still", still}}, {.weight_decay = 0.1, .clip_norm = 1.0});
  const auto norm = adamw.step({0.01});
  EXPECT_TRUE(norm.finite);
  EXPECT_EQ(norm.norm, 0.0);
  EXPECT_EQ(still.to_doubles(), (std::vector<double>{2.0, 2.0}));
}

class AverageOnEachBackend : public testing_support::OnEachBackend {};

TEST_P(AverageOnEachBackend, OfWhatDoesNotMoveStaysBitForBit) {
  std::vector<float> values;
  for (int i = 1; i < 200; ++i) values.push_back(1.0F / static_cast<float>(i) - 0.01F);
  const Tensor still = Tensor::from_host(values, {199}, backend_of(device()).compute_dtype(), device());
  WeightAverage average({{"w", still}}, 0.999);
  for (int64_t t = 0; t < 50; ++t) average.update(t);
  EXPECT_EQ(average.state()[0].tensor.to_doubles(), still.to_doubles());
}

INSTANTIATE_TEST_SUITE_P(, AverageOnEachBackend, testing_support::each_backend(), testing_support::backend_name);

TEST(WeightAverage, FollowsItsFormulaAndTradesPlacesBitForBit) {
  Tensor tensor = weight(1.0, 0.0);
  WeightAverage average({{"w", tensor}}, 0.15);
  double expected = 1.0;
  for (int64_t t = 0; t < 4; ++t) {
    const double value = 1.0 / 3.0 + static_cast<double>(t);
    tensor.copy_from(Tensor::from_host(std::vector<double>{value, value}, {2}, DType::f64, tensor.device()));
    average.update(t);
    const double decay = t == 0 ? 0.1 : 0.15;  // (1 + t)/(10 + t) = 1/10, 2/11, …
    expected = decay * expected + (1.0 - decay) * value;
  }
  const std::vector<double> last = tensor.to_doubles(), kept = average.state()[0].tensor.to_doubles();
  EXPECT_NEAR(kept[0], expected, 1e-12);
  average.swap();
  EXPECT_EQ(tensor.to_doubles(), kept);
  EXPECT_EQ(average.state()[0].tensor.to_doubles(), last);
  average.swap();
  EXPECT_EQ(tensor.to_doubles(), last);
  EXPECT_EQ(average.state()[0].name, "average.w");
}

}  // namespace
}  // namespace astroclip::optim
