#include "pixels/geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "base/rng.h"

namespace astroclip::pixels {
namespace {

using testing::ElementsAre;

TEST(Turn, HasTheEightElementsOfTheSquare) {
  const auto turned = [](int64_t element) {
    std::vector<float> square = {1, 2, 3, 4};
    turn(square, 2, element);
    return square;
  };
  EXPECT_THAT(turned(0), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(turned(1), ElementsAre(3, 1, 4, 2));
  EXPECT_THAT(turned(2), ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(turned(4), ElementsAre(2, 1, 4, 3));
  for (int64_t a = 0; a < 8; ++a)
    for (int64_t b = 0; b < a; ++b) EXPECT_NE(turned(a), turned(b));
}

TEST(Flip, ReversesColumnsOrRowsOfEveryPlane) {
  std::vector<float> planes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  flip_columns(planes, 3);
  EXPECT_THAT(planes, ElementsAre(3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10));
  flip_rows(planes, 2, 3);
  EXPECT_THAT(planes, ElementsAre(6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8, 7));
}

TEST(Mirrored, RepeatsTheBorderAndGoesBack) {
  std::vector<int64_t> places;
  for (int64_t i = -5; i < 8; ++i) places.push_back(mirrored(i, 3));
  EXPECT_THAT(places, ElementsAre(1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1));
}

TEST(RotateAndZoom, QuartersAreExact) {
  Rng rng(1, RngStream::tests);
  std::vector<float> planes(2 * 15 * 15), turned(planes.size());
  for (float& value : planes) value = static_cast<float>(rng.normal());
  for (const auto interpolation : {Interpolation::nearest, Interpolation::bilinear}) {
    rotate_and_zoom(planes, 15, 15, {std::numbers::pi / 2, 1.0, interpolation}, {0, 0, 15, 15}, turned);
    // From x to y: what lay to the right lies below.
    for (int64_t plane = 0; plane < 2; ++plane)
      for (int64_t y = 0; y < 15; ++y)
        for (int64_t x = 0; x < 15; ++x)
          EXPECT_NEAR(turned[(plane * 15 + x) * 15 + 14 - y], planes[(plane * 15 + y) * 15 + x], 1e-5);
  }
}

TEST(RotateAndZoom, MovesASmoothSourceWhereItBelongs) {
  // A Gaussian 6 pixels to the right of the centre, turned by 30° and moved out to 9 pixels.
  constexpr int64_t side = 41;
  const auto spot = [](double x, double y, double sigma) {
    std::vector<float> plane;
    for (int64_t row = 0; row < side; ++row)
      for (int64_t column = 0; column < side; ++column) {
        const double dx = static_cast<double>(column) - 20.0 - x, dy = static_cast<double>(row) - 20.0 - y;
        plane.push_back(static_cast<float>(std::exp(-0.5 * (dx * dx + dy * dy) / (sigma * sigma))));
      }
    return plane;
  };
  std::vector<float> moved(side * side);
  rotate_and_zoom(spot(6.0, 0.0, 4.0), side, side, {std::numbers::pi / 6, 1.5}, {0, 0, side, side}, moved);
  const auto expected = spot(9.0 * std::cos(std::numbers::pi / 6), 4.5, 6.0);
  for (size_t i = 0; i < moved.size(); ++i) EXPECT_NEAR(moved[i], expected[i], 0.02) << i;
}

TEST(RotateAndZoom, MakesAWindowAsTheWholeHasIt) {
  constexpr int64_t height = 21, width = 30;
  Rng rng(2, RngStream::tests);
  std::vector<float> planes(2 * height * width), whole(planes.size());
  for (float& value : planes) value = static_cast<float>(rng.normal());
  for (const auto interpolation : {Interpolation::nearest, Interpolation::bilinear}) {
    const Motion motion{0.7, 1.2, interpolation};
    rotate_and_zoom(planes, height, width, motion, {0, 0, height, width}, whole);
    const Window window{.x0 = 12, .y0 = 3, .height = 8, .width = 17};
    std::vector<float> part(2 * 8 * 17), expected(part.size());
    rotate_and_zoom(planes, height, width, motion, window, part);
    crop(whole, height, width, window, expected);
    EXPECT_EQ(part, expected);
  }
}

}  // namespace
}  // namespace astroclip::pixels
