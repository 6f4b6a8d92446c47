#include "fits/image_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

constexpr double arcsec = 1.0 / 3600.0;

/// North up and east left, like the survey's images.
TangentPlane plane(double scale, int64_t side) {
  const double centre = 0.5 * static_cast<double>(side + 1);
  return {{150.0, 2.0}, centre, centre, {{-scale * arcsec, 0.0}, {0.0, scale * arcsec}}};
}

/// A ramp in seconds of arc from the centre, one value a band: x, y, and 7.
std::vector<double> ramps(int64_t side, double scale) {
  std::vector<double> planes;
  const double centre = 0.5 * static_cast<double>(side - 1);
  for (int band = 0; band < 3; ++band) {
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        const double values[] = {static_cast<double>(x), static_cast<double>(y)};
        planes.push_back(band == 2 ? 7.0 : (values[band] - centre) * scale);
      }
    }
  }
  return planes;
}

float at(const std::vector<float>& cutout, int64_t band, int64_t y, int64_t x) {
  return cutout[static_cast<size_t>((band * 152 + y) * 152 + x)];
}

TEST(SurveyCutout, ResamplesWithoutAFactor) {
  const auto cutout = survey_cutout(ramps(424, 0.1), 424, 424, plane(0.1, 424));
  for (const auto& [y, x] : {std::pair<int64_t, int64_t>(0, 0), {10, 140}, {151, 151}}) {
    EXPECT_NEAR(at(cutout, 0, y, x), 0.262 * (static_cast<double>(x) - 75.5), 1e-4);
    EXPECT_NEAR(at(cutout, 1, y, x), 0.262 * (static_cast<double>(y) - 75.5), 1e-4);
    EXPECT_FLOAT_EQ(at(cutout, 2, y, x), 7.0F);
  }
}

TEST(SurveyCutout, TakesASurveyImageAsItIs) {
  std::vector<double> planes(3 * 152 * 152);
  for (size_t i = 0; i < planes.size(); ++i) planes[i] = 1.0 + static_cast<double>(i % 977);
  const auto cutout = survey_cutout(planes, 152, 152, plane(0.262, 152));
  for (size_t i = 0; i < planes.size(); ++i) ASSERT_NEAR(cutout[i], planes[i], 1e-3);
}

/// East to the right in the source becomes east left; a source turned by 90° is turned back.
TEST(SurveyCutout, TurnsNorthUpAndEastLeft) {
  TangentPlane mirrored = plane(0.2, 300);
  mirrored.cd[0][0] = 0.2 * arcsec;
  const auto flipped = survey_cutout(ramps(300, 0.2), 300, 300, mirrored);
  EXPECT_NEAR(at(flipped, 0, 75, 150), -0.262 * 74.5, 1e-4);
  EXPECT_NEAR(at(flipped, 1, 100, 75), 0.262 * 24.5, 1e-4);
  // Up in the source is east, right is north.
  const TangentPlane turned{{150.0, 2.0}, 150.5, 150.5, {{0.0, 0.2 * arcsec}, {0.2 * arcsec, 0.0}}};
  const auto back = survey_cutout(ramps(300, 0.2), 300, 300, turned);
  EXPECT_NEAR(at(back, 0, 100, 75), 0.262 * 24.5, 1e-4);   // a pixel to the north lies to the right in the source
  EXPECT_NEAR(at(back, 1, 75, 100), -0.262 * 24.5, 1e-4);  // one to the west lies below
}

TEST(SurveyCutout, RefusesWhatIsNoUse) {
  EXPECT_THAT([] { survey_cutout(ramps(91, 0.263), 91, 91, plane(0.263, 91)); },
              ThrowsMessage<Error>("too small: 91 x 91 pixels of 0.263\" do not hold 152 x 152 pixels of 0.262\""));
  auto planes = ramps(424, 0.1);
  planes[424 * 424 + 212 * 424 + 212] = NAN;
  EXPECT_THAT([&] { survey_cutout(planes, 424, 424, plane(0.1, 424)); },
              ThrowsMessage<Error>("1 of 23104 pixels in r are not finite"));
  // Columns 0 to 32 of the result lie between source columns that are both below 100: 33 of 152.
  planes = ramps(424, 0.1);
  for (size_t i = 2 * 424 * 424; i < planes.size(); ++i) planes[i] = i % 424 < 100 ? 0.0 : 1.0;
  EXPECT_THAT([&] { survey_cutout(planes, 424, 424, plane(0.1, 424)); },
              ThrowsMessage<Error>("22 % of the pixels in z are exactly 0, the limit is 5 %"));
  TangentPlane none = plane(0.1, 424);
  none.cd[0][0] = 0.0;
  EXPECT_THAT([&] { survey_cutout(planes, 424, 424, none); },
              ThrowsMessage<Error>("its header gives no pixel scale: the CD matrix is singular"));
}

TEST(Sky, SeparatesPositions) {
  EXPECT_NEAR(separation({10.0, 60.0}, {10.0 + 2.0 * arcsec, 60.0}) / arcsec, 1.0, 1e-6);
  EXPECT_NEAR(separation({359.9999, 0.0}, {0.0001, 0.0}), 0.0002, 1e-9);
  EXPECT_NEAR(separation({0.0, 90.0}, {123.0, 89.0}), 1.0, 1e-9);
}

TEST(Sky, FindsPositionsInATangentPlane) {
  const TangentPlane projection{{150.0, 60.0}, 10.0, 20.0, {{-0.1, 0.0}, {0.0, 0.1}}};
  EXPECT_NEAR(projection.position_of(10.0, 20.0).ra, 150.0, 1e-12);
  // North of the reference the angle's tangent is the distance in the plane.
  EXPECT_NEAR(projection.position_of(10.0, 30.0).dec, 60.0 + std::atan(M_PI / 180.0) * 180.0 / M_PI, 1e-9);
  const SkyPosition west = projection.position_of(20.0, 20.0);
  EXPECT_LT(west.ra, 150.0);
  EXPECT_NEAR(separation(west, {150.0, 60.0}), std::atan(M_PI / 180.0) * 180.0 / M_PI, 1e-9);
  const TangentPlane wrapping{{0.01, 0.0}, 0.0, 0.0, {{-0.1, 0.0}, {0.0, 0.1}}};
  EXPECT_NEAR(wrapping.position_of(1.0, 0.0).ra, 359.91, 1e-6);
}

}  // namespace
}  // namespace astroclip::fits
