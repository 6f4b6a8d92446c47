#include "fits/image_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "fits/header_cards.h"
#include "support/fits_files.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

using testing_support::arcsec;

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

/// The bands of an image cut out at the middle, each looked at.
std::vector<float> survey_cutout(const std::vector<double>& planes, int64_t side, const Wcs& wcs,
                                 PixelValues values = PixelValues::brightness) {
  const double middle = 0.5 * static_cast<double>(side + 1);
  const Sampling sampling(wcs, wcs.position_of({middle, middle}));
  const PixelWindow window = sampling.window(side, side);
  std::vector<float> cutout;
  for (size_t band = 0; band < planes.size() / static_cast<size_t>(side * side); ++band) {
    std::vector<double> pixels;
    for (int64_t y = window.y; y < window.y + window.height; ++y) {
      const auto row = planes.begin() + static_cast<std::ptrdiff_t>(band) * side * side + y * side + window.x;
      pixels.insert(pixels.end(), row, row + window.width);
    }
    const std::vector<float> cut = sampling.apply(pixels, {}, window, values);
    cutout.insert(cutout.end(), cut.begin(), cut.end());
  }
  return cutout;
}

float at(const std::vector<float>& cutout, int64_t band, int64_t y, int64_t x) {
  return cutout[static_cast<size_t>((band * 152 + y) * 152 + x)];
}

TEST(SurveyCutout, ResamplesWithoutAFactor) {
  const auto cutout = survey_cutout(ramps(424, 0.1), 424, plane(0.1, 424));
  for (const auto& [y, x] : {std::pair<int64_t, int64_t>(0, 0), {10, 140}, {151, 151}}) {
    EXPECT_NEAR(at(cutout, 0, y, x), 0.262 * (static_cast<double>(x) - 75.5), 1e-4);
    EXPECT_NEAR(at(cutout, 1, y, x), 0.262 * (static_cast<double>(y) - 75.5), 1e-4);
    EXPECT_FLOAT_EQ(at(cutout, 2, y, x), 7.0F);
  }
}

TEST(SurveyCutout, TakesASurveyImageAsItIs) {
  std::vector<double> planes(3 * 152 * 152);
  for (size_t i = 0; i < planes.size(); ++i) planes[i] = 1.0 + static_cast<double>(i % 977);
  const auto cutout = survey_cutout(planes, 152, plane(0.262, 152));
  for (size_t i = 0; i < planes.size(); ++i) ASSERT_NEAR(cutout[i], planes[i], 1e-3);
}

/// East to the right in the source becomes east left; a source turned by 90° is turned back.
TEST(SurveyCutout, TurnsNorthUpAndEastLeft) {
  const auto flipped = survey_cutout(ramps(300, 0.2), 300, turned(1.0, 0.0, 0.0, 1.0));
  EXPECT_NEAR(at(flipped, 0, 75, 150), -0.262 * 74.5, 1e-4);
  EXPECT_NEAR(at(flipped, 1, 100, 75), 0.262 * 24.5, 1e-4);
  // Up in the source is east, right is north.
  const auto back = survey_cutout(ramps(300, 0.2), 300, turned(0.0, 1.0, 1.0, 0.0));
  EXPECT_NEAR(at(back, 0, 100, 75), 0.262 * 24.5, 1e-4);   // a pixel to the north lies to the right in the source
  EXPECT_NEAR(at(back, 1, 75, 100), -0.262 * 24.5, 1e-4);  // one to the west lies below
}

/// A round source of sigma 2", of unit flux in all, in the flux of each pixel.
std::vector<double> source(int64_t side, double scale) {
  std::vector<double> plane;
  const double centre = 0.5 * static_cast<double>(side - 1), sigma = 2.0 / scale;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const double dx = (static_cast<double>(x) - centre) / sigma, dy = (static_cast<double>(y) - centre) / sigma;
      plane.push_back(std::exp(-0.5 * (dx * dx + dy * dy)) / (2.0 * M_PI * sigma * sigma));
    }
  }
  return plane;
}

TEST(SurveyCutout, KeepsTheFluxOfPixelsOfAnySize) {
  for (const auto& [scale, side] : {std::pair(0.396, 121), {0.262, 160}, {0.1, 421}, {0.17, 250}}) {
    const auto kept = survey_cutout(source(side, scale), side, plane(scale, side), PixelValues::flux);
    EXPECT_NEAR(std::accumulate(kept.begin(), kept.end(), 0.0), 1.0, 1e-3) << scale;
    EXPECT_NEAR(at(kept, 0, 75, 75), source(152, 0.262)[75 * 152 + 75], 3e-5) << scale;
    const auto brightness = survey_cutout(source(side, scale), side, plane(scale, side));
    EXPECT_NEAR(std::accumulate(brightness.begin(), brightness.end(), 0.0), scale * scale / 0.262 / 0.262, 2e-3)
        << scale;
  }
}

/// A finer pixel whose neighbours differ is averaged, not looked at in one point.
TEST(SurveyCutout, AveragesNoiseOfFinerPixels) {
  std::vector<double> planes(421 * 421);
  for (size_t i = 0; i < planes.size(); ++i) planes[i] = i % 421 % 2 == 0 ? 1.0 : 3.0;
  const auto kept = survey_cutout(planes, 421, plane(0.1, 421), PixelValues::flux);
  const auto [least, most] = std::ranges::minmax(kept);
  EXPECT_GT(least, 2.0 * 2.62 * 2.62 * 0.75);
  EXPECT_LT(most, 2.0 * 2.62 * 2.62 * 1.25);
  const auto mean = survey_cutout(planes, 421, plane(0.1, 421), PixelValues::mean_brightness);
  for (size_t i = 0; i < mean.size(); ++i) ASSERT_NEAR(mean[i], kept[i] / 2.62 / 2.62, 1e-5);
}

TEST(SurveyCutout, CutsASourceOnSuchPixels) {
  // Off by a third of a pixel, 1 % of a degree turned: nothing is interpolated.
  std::vector<double> planes(200 * 200);
  for (size_t i = 0; i < planes.size(); ++i) planes[i] = static_cast<double>(i * 7919 % 1000);
  const Wcs wcs = plane(0.262, 200);
  const Sampling sampling(wcs, wcs.position_of({100.0 + 1.0 / 3.0, 100.8}));
  ASSERT_TRUE(sampling.is_cut());
  const PixelWindow whole{0, 0, 200, 200};
  const auto cutout = sampling.apply(planes, {}, whole, PixelValues::flux);
  EXPECT_FLOAT_EQ(cutout[0], static_cast<float>(planes[24 * 200 + 24]));
  EXPECT_LT(separation(sampling.centre(), wcs.position_of({100.5, 100.5})), 1e-9);
}

TEST(Sampling, TellsHowMuchLiesAround) {
  const auto margin = [](int64_t side, const Wcs& wcs) {
    const double middle = 0.5 * static_cast<double>(side + 1);
    return Sampling(wcs, wcs.position_of({middle, middle})).margin(side, side);
  };
  EXPECT_NEAR(margin(200, plane(0.262, 200)), 24.0, 1e-6);
  EXPECT_NEAR(margin(91, plane(0.5, 91)), 45.0 - 75.5 * 0.262 / 0.5, 1e-3);
  EXPECT_LT(margin(91, plane(0.263, 91)), -30.0);
  // Upright, 200 pixels would do.
  const double half = std::sqrt(0.5);
  EXPECT_LT(margin(200, turned(-half, half, half, half)), 0.0);
  EXPECT_GT(margin(200, plane(0.2, 200)), 0.0);
}

TEST(Sampling, LeavesOutWhatWasNotMeasured) {
  std::vector<double> planes(424 * 424, 3.0);
  std::vector<uint8_t> measured(planes.size(), 1);
  for (size_t y = 100; y < 140; ++y) {
    for (size_t x = 200; x < 240; ++x) {
      planes[y * 424 + x] = NAN;
      measured[y * 424 + x] = 0;
    }
  }
  const Wcs wcs = plane(0.1, 424);
  const Sampling sampling(wcs, wcs.position_of({212.5, 212.5}));
  for (const PixelValues values : {PixelValues::flux, PixelValues::brightness}) {
    const auto cutout = sampling.apply(planes, measured, {0, 0, 424, 424}, values);
    const float value = values == PixelValues::flux ? 3.0F * 2.62F * 2.62F : 3.0F;
    for (const float pixel : cutout) ASSERT_TRUE(pixel == 0.0F || std::abs(pixel - value) < 1e-3F) << pixel;
    EXPECT_NEAR(static_cast<double>(std::ranges::count(cutout, 0.0F)), 40.0 * 40.0 / 2.62 / 2.62, 31.0);
  }
}

TEST(CheckBand, RefusesWhatIsNoUse) {
  std::vector<float> band(152 * 152, 1.0F);
  EXPECT_THAT([&] { check_band(band, "g"); }, ThrowsMessage<Error>("all pixels in g are 1: nothing was observed"));
  band[0] = 2.0F;
  check_band(band, "g");
  band[7] = NAN;
  EXPECT_THAT([&] { check_band(band, "r"); }, ThrowsMessage<Error>("1 of 23104 pixels in r are not finite"));
  band[7] = 1.0F;
  std::fill_n(band.begin(), 5083, 0.0F);
  EXPECT_THAT([&] { check_band(band, "z"); },
              ThrowsMessage<Error>("22 % of the pixels in z are exactly 0 or not measured, the limit is 5 %"));
}

}  // namespace
}  // namespace astroclip::fits
