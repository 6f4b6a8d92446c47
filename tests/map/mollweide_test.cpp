#include "map/mollweide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace astroclip::map {
namespace {

TEST(Mollweide, GivesSnydersExample) {
  const auto [x, y] = mollweide(15.0, -50.0);  // Snyder 1987, appendix A: 75° W about 90° W, 50° S
  EXPECT_NEAR(x, 0.1788845, 5e-8);
  EXPECT_NEAR(y, -0.9208758, 5e-8);
}

TEST(Mollweide, FillsAnEllipseFromPoleToPole) {
  using std::numbers::sqrt2;
  EXPECT_NEAR(mollweide(180.0, 0.0)[0], 2.0 * sqrt2, 1e-12);
  EXPECT_NEAR(mollweide(-180.0, 0.0)[0], -2.0 * sqrt2, 1e-12);
  for (const double pole : {-90.0, 90.0}) {
    const auto [x, y] = mollweide(120.0, pole);
    EXPECT_NEAR(x, 0.0, 1e-3);
    EXPECT_NEAR(y, std::copysign(sqrt2, pole), 1e-6);
  }
  EXPECT_NEAR(mollweide(0.0, 89.999)[1], sqrt2, 1e-6);
  // Equal areas: the share of the sphere below a latitude is the share of the ellipse below its line.
  const double y = mollweide(0.0, 30.0)[1] / sqrt2;
  EXPECT_NEAR(0.5 + (std::asin(y) + y * std::sqrt(1.0 - y * y)) / std::numbers::pi,
              0.5 + 0.5 * std::sin(std::numbers::pi / 6), 1e-12);
  EXPECT_TRUE(std::isnan(mollweide(0.0, std::numeric_limits<double>::quiet_NaN())[1]));
  EXPECT_TRUE(std::isnan(mollweide(std::numeric_limits<double>::quiet_NaN(), 0.0)[0]));
}

}  // namespace
}  // namespace astroclip::map
