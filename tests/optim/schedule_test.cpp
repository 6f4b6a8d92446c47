#include <gtest/gtest.h>

#include <cmath>

#include "io/safetensors.h"
#include "optim/optimizer.h"
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

}  // namespace
}  // namespace astroclip::optim
