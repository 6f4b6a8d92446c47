#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/weights/safetensors.h"
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

/// Of five steps of DINOv2's published code.
TEST(Schedule, PublishedRatesAndDecaysOfDinov2) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("dinov2_steps.trajectory.safetensors"));
  const auto read = [&](const char* name) { return file.read(name, DType::f64, {DeviceKind::reference}).to_doubles(); };
  const std::vector<double> rates = read("lr"), decays = read("wd"), momenta = read("momentum");
  ASSERT_EQ(rates.size(), 5U);
  const double peak = 0.04 * std::sqrt(3.0 / 1024.0);  // batch 3
  for (int64_t step = 0; step < 5; ++step) {
    const auto at = static_cast<size_t>(step);
    EXPECT_NEAR(warmup_cosine(step, peak, 1e-6, 2, 8, true), rates[at], 1e-12) << "step " << step;
    EXPECT_NEAR(cosine(step, 0.04, 0.4, 8), decays[at], 1e-12) << "step " << step;
    EXPECT_NEAR(cosine(step, 0.9, 1.0, 8), momenta[at], 1e-12) << "step " << step;
  }
}

}  // namespace
}  // namespace astroclip::optim
