#include "fits/image_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "fits/header_cards.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

constexpr double arcsec = 1.0 / 3600.0;

/// North up and east left, like the survey's images.
Wcs plane(double scale, int64_t side) {
  const double centre = 0.5 * static_cast<double>(side + 1);
  return Wcs::tangent({150.0, 2.0}, {centre, centre}, scale * arcsec);
}

/// Of 300 by 300 pixels of 0.2", by its matrix.
Wcs turned(double cd11, double cd12, double cd21, double cd22) {
  return Wcs::from_header(cards_of({{"CTYPE1", "RA---TAN"},
                                    {"CTYPE2", "DEC--TAN"},
                                    {"CRVAL1", 150.0},
                                    {"CRVAL2", 2.0},
                                    {"CRPIX1", 150.5},
                                    {"CRPIX2", 150.5},
                                    {"CD1_1", 0.2 * arcsec * cd11},
                                    {"CD1_2", 0.2 * arcsec * cd12},
                                    {"CD2_1", 0.2 * arcsec * cd21},
                                    {"CD2_2", 0.2 * arcsec * cd22}}));
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
  const auto flipped = survey_cutout(ramps(300, 0.2), 300, 300, turned(1.0, 0.0, 0.0, 1.0));
  EXPECT_NEAR(at(flipped, 0, 75, 150), -0.262 * 74.5, 1e-4);
  EXPECT_NEAR(at(flipped, 1, 100, 75), 0.262 * 24.5, 1e-4);
  // Up in the source is east, right is north.
  const auto back = survey_cutout(ramps(300, 0.2), 300, 300, turned(0.0, 1.0, 1.0, 0.0));
  EXPECT_NEAR(at(back, 0, 100, 75), 0.262 * 24.5, 1e-4);   // a pixel to the north lies to the right in the source
  EXPECT_NEAR(at(back, 1, 75, 100), -0.262 * 24.5, 1e-4);  // one to the west lies below
}

TEST(SurveyCutout, RefusesWhatIsNoUse) {
  EXPECT_THAT(
      [] { survey_cutout(ramps(91, 0.263), 91, 91, plane(0.263, 91)); },
      ThrowsMessage<Error>("too small: 91 x 91 pixels of 0.263\" do not hold 152 x 152 pixels of 0.262\", north up"));
  // Upright, 200 pixels would do.
  const double half = std::sqrt(0.5);
  EXPECT_THAT([&] { survey_cutout(ramps(200, 0.2), 200, 200, turned(-half, half, half, half)); },
              ThrowsMessage<Error>("too small: 200 x 200 pixels of 0.200\" do not hold 152 x 152 pixels of 0.262\", "
                                   "north up"));
  auto planes = ramps(424, 0.1);
  planes[424 * 424 + 212 * 424 + 212] = NAN;
  EXPECT_THAT([&] { survey_cutout(planes, 424, 424, plane(0.1, 424)); },
              ThrowsMessage<Error>("1 of 23104 pixels in r are not finite"));
  // Columns 0 to 32 of the result lie between source columns that are both below 100: 33 of 152.
  planes = ramps(424, 0.1);
  for (size_t i = 2 * 424 * 424; i < planes.size(); ++i) planes[i] = i % 424 < 100 ? 0.0 : 1.0;
  EXPECT_THAT([&] { survey_cutout(planes, 424, 424, plane(0.1, 424)); },
              ThrowsMessage<Error>("22 % of the pixels in z are exactly 0, the limit is 5 %"));
}

}  // namespace
}  // namespace astroclip::fits
