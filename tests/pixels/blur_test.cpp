#include "pixels/blur.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "io/weights/safetensors.h"
#include "support/fixtures.h"

namespace astroclip::pixels {
namespace {

/// scipy.ndimage.gaussian_filter, widths from none to one beyond the image.
TEST(Blur, GivesScipysNumbersBitForBit) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("augment.blur.safetensors"));
  const auto read = [&](const std::string& name) { return file.read(name, DType::f32, Device::host()).to_floats(); };
  const std::vector<double> sigmas = file.read("sigmas", DType::f64, Device::host()).to_doubles();
  ASSERT_EQ(sigmas.size(), 8U);
  for (size_t i = 0; i < sigmas.size(); ++i) {
    std::vector<float> image = read("image");
    blur(image, 40, 40, sigmas[i]);
    EXPECT_EQ(image, read(fmt::format("blurred.{}", i))) << sigmas[i];
  }
  std::vector<float> rectangle = read("rectangle");
  blur(rectangle, 28, 52, 2.0);
  EXPECT_EQ(rectangle, read("rectangle_blurred_2"));
}

}  // namespace
}  // namespace astroclip::pixels
