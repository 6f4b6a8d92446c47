#include "optim/schedule.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace astroclip::optim
