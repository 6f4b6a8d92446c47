#include "pixels/stretch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "io/weights/safetensors.h"
#include "pixels/geometry.h"
#include "support/fixtures.h"

namespace astroclip::pixels {
namespace {

TEST(ToRgb, GivesThePublishedCodesNumbers) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("to_rgb.safetensors"));
  const Device cpu{DeviceKind::cpu};
  const Tensor raw = file.read("raw_nanomaggies", DType::f32, cpu);
  const Tensor expected = file.read("model_input", DType::f32, cpu);
  const int64_t side = raw.size(1);
  const int64_t size = expected.size(3);
  const float* values = raw.data_as<float>();
  const auto wanted = expected.to_floats();
  std::vector<float> native(static_cast<size_t>(3 * side * side)), cropped(static_cast<size_t>(3 * size * size)),
      rgb(cropped.size());
  for (int64_t object = 0; object < raw.size(0); ++object) {
    for (int64_t x = 0; x < side; ++x)
      for (int64_t y = 0; y < side; ++y)
        for (int64_t band = 0; band < 3; ++band)
          native[static_cast<size_t>((band * side + y) * side + x)] =
              values[((object * side + x) * side + y) * 3 + band];
    crop(native, side, side, {(side - size) / 2, (side - size) / 2, size, size}, cropped);
    to_rgb(cropped, {}, rgb);
    for (size_t i = 0; i < rgb.size(); ++i)
      ASSERT_NEAR(rgb[i], wanted[static_cast<size_t>(object) * rgb.size() + i], 1e-6) << object << ", " << i;
  }
}

TEST(ToRgb, TakesAnyNumberOfBands) {
  // Two bands of one pixel: s·x + m is 1·0.2 and 2·0.3 over an offset of 0; I = 0.4, f = asinh(8·0.4)/√8/I.
  std::vector<float> planes(2);
  to_rgb(std::vector<float>{0.2F, 0.3F},
         {.kind = Stretch::Kind::rgb, .scales = {1.0, 2.0}, .offset = 0.0, .softening = 8.0}, planes);
  const double factor = std::asinh(3.2) / std::sqrt(8.0) / 0.4;
  EXPECT_NEAR(planes[0], std::min(1.0, 0.6 * factor), 1e-6);  // bands in reverse order
  EXPECT_NEAR(planes[1], 0.2 * factor, 1e-6);
}

TEST(Arcsinh, StretchesEachBandByItself) {
  // asinh(8·(2·x + 0.1))/√8, below zero too.
  std::vector<float> planes(2);
  arcsinh(std::vector<float>{0.2F, -0.3F}, {Stretch::Kind::bands, {2.0, 4.0}, 0.1, 8.0}, planes);
  EXPECT_NEAR(planes[0], std::asinh(8.0 * 0.5) / std::sqrt(8.0), 1e-6);
  EXPECT_NEAR(planes[1], std::asinh(8.0 * -1.1) / std::sqrt(8.0), 1e-6);
}

}  // namespace
}  // namespace astroclip::pixels
