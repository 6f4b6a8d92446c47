#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/weights/safetensors.h"
#include "optim/adamw.h"
#include "optim/weight_average.h"
#include "support/fixtures.h"

namespace astroclip::optim {
namespace {

TEST(Schedule, EightyPublishedRates) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("schedule.safetensors"));
  const std::vector<double> rates = file.read("learning_rate", DType::f64, {DeviceKind::reference}).to_doubles();
  ASSERT_EQ(rates.size(), 80U);
  for (size_t step = 0; step < rates.size(); ++step) {
    EXPECT_NEAR(warmup_cosine(static_cast<int64_t>(step), 1e-3, 2e-6, 10, 60), rates[step], 1e-9) << "step " << step;
  }
}

TEST(Adamw, NothingMovesWhenAGradientIsNotFinite) {
  const Device device{DeviceKind::reference};
  Tensor good = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f64, device);
  Tensor bad = Tensor::from_host(std::vector<double>{3, 4}, {2}, DType::f64, device);
  good.set_requires_grad(true);
  bad.set_requires_grad(true);
  Adamw adamw({{"good", good}, {"bad", bad}}, {.weight_decay = 0.1});
  good.set_grad(Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  bad.set_grad(Tensor::from_host(std::vector<double>{1, std::nan("")}, {2}, DType::f64, device));
  EXPECT_FALSE(adamw.step(0.1).finite);
  EXPECT_EQ(adamw.first_non_finite(), "bad");
  EXPECT_EQ(good.to_doubles(), (std::vector<double>{1, 2}));
  EXPECT_EQ(bad.to_doubles(), (std::vector<double>{3, 4}));
  EXPECT_EQ(adamw.steps_taken(), 0);
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
  adamw.step(0.01);
  // The first step of Adam moves by the learning rate, whatever the gradient's size; decay is multiplied by the rate.
  const auto moved = [](double rate, double decay) { return 2.0 * (1.0 - rate * decay) - rate; };
  EXPECT_NEAR(plain.to_doubles()[0], moved(0.01, 0.1), 1e-9);
  EXPECT_NEAR(slow.to_doubles()[1], moved(0.0025, 0.3), 1e-9);
  EXPECT_NEAR(still.to_doubles()[0], moved(0.01, 0.0), 1e-9);
}

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
