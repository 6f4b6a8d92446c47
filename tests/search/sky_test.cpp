#include "search/sky.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace astroclip::search {
namespace {

using testing::ElementsAre;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double arcsec = 1.0 / 3600.0;

TEST(SkyTest, FindsTheNearestWithinTheRadius) {
  // Row 1 lies across the meridian of right ascension 0, rows 2 and 3 at the pole, rows 4 and 5 at one place.
  const std::vector<double> ra = {10.0, 359.9999, 0.0, 180.0, 50.0, 50.0, nan, 20.0};
  const std::vector<double> dec = {0.0, 0.0, 90.0, 90.0 - 0.9 * arcsec, -30.0, -30.0, 0.0, 91.0};
  const SkyIndex index(ra, dec);
  const auto found = index.nearest(std::vector{10.0 + 0.4 * arcsec, 0.0001, 77.0, 50.0, 10.0, nan, 20.0},
                                   std::vector{0.3 * arcsec, 0.0, 90.0, -30.0, 1.01 * arcsec, 0.0, 91.0}, 1.0);
  EXPECT_EQ(found[0].row, 0);
  EXPECT_NEAR(found[0].separation, 0.5, 1e-9);
  EXPECT_EQ(found[0].within, 1);
  EXPECT_EQ(found[1].row, 1) << "0.72 arcsec across 0";
  EXPECT_NEAR(found[1].separation, 0.72, 1e-9);
  EXPECT_EQ(found[2].row, 2);
  EXPECT_EQ(found[2].within, 2) << "the pole itself and a place 0.9 arcsec beside it";
  EXPECT_EQ(found[3].row, 4) << "the lower of two rows at one place";
  EXPECT_EQ(found[3].within, 2);
  EXPECT_EQ(found[4].row, -1);
  EXPECT_EQ(found[5].row, -1);
  EXPECT_EQ(found[6].row, -1);
}

TEST(SkyTest, EqualsAstropy) {
  // Separations by astropy.coordinates.SkyCoord(...).separation(...), astropy 8.0.2.
  const std::vector<double> ra = {180.0, 181.0, 150.1}, dec = {5.0, 5.5, 2.2};
  const auto found = SkyIndex(ra, dec).nearest(std::vector{180.7, 149.0}, std::vector{5.2, 2.0}, 7200.0);
  EXPECT_EQ(found[0].row, 1);
  EXPECT_NEAR(found[0].separation, 1524.0265905980293, 1e-7);
  EXPECT_EQ(found[1].row, 2);
  EXPECT_NEAR(found[1].separation, 4022.3036609974315, 1e-7);
}

TEST(SkyTest, ListsAllPairsWithinTheRadius) {
  const std::vector<double> ra = {10.0, 10.0, 10.0, 11.0}, dec = {0.0, 2 * arcsec, 1 * arcsec, 0.0};
  const auto pairs = SkyIndex(ra, dec).within(std::vector{11.0, 10.0}, std::vector{0.0, 0.0}, 1.5);
  ASSERT_EQ(pairs.size(), 3U);
  EXPECT_EQ(pairs[0].first, 0);
  EXPECT_EQ(pairs[0].second, 3);
  EXPECT_EQ(pairs[1].second, 0);
  EXPECT_EQ(pairs[2].second, 2);
  EXPECT_NEAR(pairs[2].separation, 1.0, 1e-9);
}

TEST(SkyTest, GroupsByStepsOfTheRadius) {
  const std::vector<double> ra = {10.0, 20.0, 10.0, nan, 10.0, 20.0},
                            dec = {0.0, 0.0, 1.8 * arcsec, 0.0, 0.9 * arcsec, 0.5};
  EXPECT_THAT(sky_groups(ra, dec, 1.0), ElementsAre(0, 1, 0, 3, 0, 5));
}

TEST(SkyTest, TakesNoPositions) {
  const std::vector<double> none;
  EXPECT_EQ(SkyIndex(none, none).nearest(std::vector{1.0}, std::vector{1.0}, 1.0)[0].row, -1);
  EXPECT_TRUE(sky_groups(none, none, 1.0).empty());
}

}  // namespace
}  // namespace astroclip::search
