#include "map/selecting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace astroclip::map {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float nowhere = std::numeric_limits<float>::quiet_NaN();

std::vector<float> uniform_values(int64_t count, uint64_t seed) {
  Rng rng(seed, RngStream::tests);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(rng.uniform()));
  return values;
}

std::vector<int64_t> all_of(const Mask& mask) { return rows_of(mask, 0, count_of(mask)); }

TEST(Inside, OfAStarIsAsByItsWindings) {
  // Five points of a circle joined every second: the even-odd rule leaves its middle out.
  std::vector<std::array<double, 2>> star;
  for (int i = 0; i < 5; ++i)
    star.push_back({0.5 + 0.5 * std::sin(4.0 * M_PI * i / 5.0), 0.5 + 0.5 * std::cos(4.0 * M_PI * i / 5.0)});
  std::vector<float> positions = uniform_values(40000, 1);
  positions.insert(positions.end(), {nowhere, 0.5F, 0.5F, 0.5F, 0.5F, 0.9F, 2.0F, 0.5F});
  const Mask mask = inside(positions, star);
  EXPECT_FALSE(is_set(mask, 20000)) << "no position";
  EXPECT_FALSE(is_set(mask, 20001)) << "in its middle";
  EXPECT_TRUE(is_set(mask, 20002)) << "in its upper point";
  EXPECT_FALSE(is_set(mask, 20003));
  for (int64_t row = 0; row < 20000; ++row) {
    const double x = double{positions[static_cast<size_t>(2 * row)]},
                 y = double{positions[static_cast<size_t>(2 * row) + 1]};
    double winding = 0.0;
    for (size_t i = 0; i < 5; ++i) {
      const auto &a = star[i], &b = star[(i + 1) % 5];
      winding += std::remainder(std::atan2(b[1] - y, b[0] - x) - std::atan2(a[1] - y, a[0] - x), 2.0 * M_PI);
    }
    const auto turns = std::lround(winding / (2.0 * M_PI));
    ASSERT_EQ(is_set(mask, row), turns % 2 != 0) << x << ", " << y;
  }
}

TEST(Inside, OfNoPolygonIsNothing) {
  const std::vector<float> positions = uniform_values(200, 2);
  EXPECT_EQ(count_of(inside(positions, {})), 0);
  EXPECT_EQ(count_of(inside(positions, std::vector<std::array<double, 2>>{{0, 0.5}, {1, 0.5}, {0.5, 0.5}})), 0);
}

TEST(Masks, CountAndListRows) {
  Mask mask(3);
  for (const int64_t row : {0, 5, 63, 64, 130}) mask[static_cast<size_t>(row / 64)] |= uint64_t{1} << (row % 64);
  EXPECT_EQ(count_of(mask), 5);
  EXPECT_THAT(all_of(mask), ElementsAre(0, 5, 63, 64, 130));
  EXPECT_THAT(rows_of(mask, 1, 3), ElementsAre(5, 63, 64));
  EXPECT_THAT(rows_of(mask, 3, 9), ElementsAre(64, 130));
  EXPECT_THAT(rows_of(mask, 5, 9), IsEmpty());
  EXPECT_THAT(all_of(within(std::vector<float>{1, 2, nowhere, 3, 4}, 2.0, 3.0)), ElementsAre(1, 3));
}

TEST(NearestRow, KeepsToItsRadius) {
  const std::vector<float> positions = {0, 0, 1, 0, nowhere, nowhere, 1, 1};
  EXPECT_EQ(nearest_row(positions, 0.9, 0.1, 0.5), 1);
  EXPECT_EQ(nearest_row(positions, 0.4, 0.0, 0.1), -1);
  EXPECT_EQ(nearest_row(positions, 0.5, 0.0, 5.0), 0) << "of two the first";
}

}  // namespace
}  // namespace astroclip::map
