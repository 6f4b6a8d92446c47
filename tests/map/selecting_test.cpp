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

/// Whether an odd number of edges lies to the right of a place, edge by edge.
bool has(const std::vector<std::array<double, 2>>& polygon, double x, double y) {
  bool is_inside = false;
  for (size_t i = 0; i < polygon.size(); ++i) {
    const auto &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
    if ((a[1] > y) == (b[1] > y)) continue;
    if (x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])) is_inside = !is_inside;
  }
  return is_inside;
}

TEST(Inside, IsAsByEveryEdgeWhateverTheShape) {
  Rng rng(3, RngStream::tests);
  std::vector<std::vector<std::array<double, 2>>> polygons(5);
  for (int i = 0; i < 300; ++i) {  // a jagged outline, and a knot
    const double angle = 2.0 * M_PI * i / 300, radius = 0.3 + 0.19 * std::sin(i * 1.7);
    polygons[0].push_back({0.5 + radius * std::cos(angle), 0.5 + radius * std::sin(angle)});
    polygons[1].push_back({rng.uniform(), rng.uniform()});
  }
  // Edges along cells, a comb thinner than they are, and a sliver far from zero.
  polygons[2] = {{0.25, 0.25}, {0.75, 0.25}, {0.75, 0.5}, {0.5, 0.5}, {0.5, 0.75}, {0.25, 0.75}};
  for (int i = 0; i < 300; ++i) {
    polygons[3].push_back({i / 1500.0, 1.0});
    polygons[3].push_back({(i + 0.5) / 1500.0, 0.1 + 0.5 * rng.uniform()});
  }
  polygons[3].push_back({1.0, 0.0});
  for (const double step : {0.0, 1e-13, 2e-13})
    polygons[4].push_back({0.9 + step, step == 1e-13 ? 0.9 + 3e-13 : 0.9 + step});
  for (const auto& polygon : polygons) {
    std::vector<float> positions = uniform_values(20000, 4);
    for (const auto& [x, y] : polygon)
      positions.insert(positions.end(), {static_cast<float>(x), static_cast<float>(y)});
    for (int i = 0; i < 10000; ++i) {  // close to an edge
      const size_t edge = static_cast<size_t>(rng.below(std::ssize(polygon)));
      const auto &a = polygon[edge], &b = polygon[(edge + 1) % polygon.size()];
      const double along = rng.uniform();
      for (size_t axis = 0; axis < 2; ++axis)
        positions.push_back(static_cast<float>(a[axis] + along * (b[axis] - a[axis]) + 1e-5 * rng.normal()));
    }
    const Mask mask = inside(positions, polygon);
    for (int64_t row = 0; row < std::ssize(positions) / 2; ++row) {
      const auto at = static_cast<size_t>(2 * row);
      const double x = double{positions[at]}, y = double{positions[at + 1]};
      ASSERT_EQ(is_set(mask, row), has(polygon, x, y))
          << "polygon " << &polygon - polygons.data() << " at " << x << ", " << y;
    }
  }
}

TEST(Inside, TakesPolygonsOfAnySize) {
  const float largest = std::numeric_limits<float>::max();
  const std::vector<float> positions = {0, 0, 0.5, 0.5, 1e38F, 1e38F, -1e38F, 1, largest, largest};
  const auto square = [](double half) {
    return std::vector<std::array<double, 2>>{{-half, -half}, {half, -half}, {half, half}, {-half, half}};
  };
  EXPECT_THAT(all_of(inside(positions, square(double{largest}))), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(all_of(inside(positions, square(std::numeric_limits<double>::denorm_min()))), ElementsAre(0));
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
