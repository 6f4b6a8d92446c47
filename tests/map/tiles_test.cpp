#include "map/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "base/rng.h"

namespace astroclip::map {
namespace {

constexpr float unplaced = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t heap_points = 100000;

/// Two heaps of points, and every seventh without a place.
std::vector<float> heaps() {
  Rng rng(5, RngStream::tests);
  std::vector<float> positions;
  for (int64_t row = 0; row < heap_points; ++row) {
    const double centre = row < heap_points / 2 ? -3.0 : 4.0;
    for (int axis = 0; axis < 2; ++axis)
      positions.push_back(row % 7 == 0 ? unplaced : static_cast<float>(centre + rng.normal()));
  }
  return positions;
}

TEST(Tiles, HoldEveryPlacedPointOnceWhereItIs) {
  const std::vector<float> positions = heaps();
  const Tiles tiles = make_tiles(positions, 1);
  std::set<uint32_t> seen;
  int64_t next = 0;
  for (const Tile& tile : tiles.tiles) {
    EXPECT_EQ(tile.first, next);
    next += tile.count;
    EXPECT_LE(tile.count, points_of_a_tile);
    const double side = double{tiles.extent.side} / std::exp2(tile.level);
    for (auto i = static_cast<size_t>(tile.first); i < static_cast<size_t>(next); ++i) {
      EXPECT_TRUE(seen.insert(tiles.row[i]).second);
      const double x = double{tiles.extent.left} + side * (tile.x + (tiles.x[i] + 0.5) / 65536.0);
      const double y = double{tiles.extent.bottom} + side * (tile.y + (tiles.y[i] + 0.5) / 65536.0);
      EXPECT_NEAR(x, double{positions[2 * tiles.row[i]]}, side / 65536.0 + 1e-6);
      EXPECT_NEAR(y, double{positions[2 * tiles.row[i] + 1]}, side / 65536.0 + 1e-6);
    }
  }
  EXPECT_EQ(next, std::ssize(tiles.row));
  EXPECT_EQ(std::ssize(seen), heap_points - (heap_points + 6) / 7);
  EXPECT_EQ(tiles.tiles.front().below, std::ssize(seen));
  EXPECT_GT(tiles.tiles.size(), 4U);
}

TEST(Tiles, TheFirstIsARandomSample) {
  const Tiles tiles = make_tiles(heaps(), 1);
  ASSERT_EQ(tiles.tiles.front().count, points_of_a_tile);
  int64_t of_first_heap = 0;
  double mean_row = 0.0;
  for (size_t i = 0; i < points_of_a_tile; ++i) {
    of_first_heap += tiles.row[i] < heap_points / 2;
    mean_row += tiles.row[i] / static_cast<double>(points_of_a_tile);
  }
  // Five standard deviations of a sample: 0.5·√n, and heap_points/√(12·n).
  EXPECT_NEAR(static_cast<double>(of_first_heap), points_of_a_tile / 2.0, 5.0 * 0.5 * std::sqrt(points_of_a_tile));
  EXPECT_NEAR(mean_row, heap_points / 2.0, 5.0 * heap_points / std::sqrt(12.0 * points_of_a_tile));
}

TEST(Tiles, EndBetweenAnyTwoOfThem) {
  struct Ended {};
  const std::vector<float> positions = heaps();
  const size_t all = make_tiles(positions, 1).tiles.size();
  size_t calls = 0;
  make_tiles(positions, 1, [&] { ++calls; });
  EXPECT_EQ(calls, all);
  calls = 0;
  const auto ending = [&] {
    if (++calls == 3) throw Ended();
  };
  EXPECT_THROW(make_tiles(positions, 1, ending), Ended);
  EXPECT_EQ(calls, 3U);
}

TEST(Tiles, OfEqualPointsAndOfNone) {
  const std::vector<float> equal(2 * 40000, 1.5F);
  const Tiles tiles = make_tiles(equal, 1);
  EXPECT_EQ(std::ssize(tiles.row), 40000);
  EXPECT_EQ(make_tiles(std::vector<float>{unplaced, unplaced}, 1).row.size(), 0U);
  EXPECT_EQ(make_tiles({}, 1).tiles.size(), 1U);
}

TEST(CountPoints, CountsEachPointInItsSquare) {
  const std::vector<float> positions = {0.1F, 0.1F, 0.9F, 0.1F, 0.6F, 0.9F, 0.6F, 0.8F, unplaced, 0.5F};
  EXPECT_THAT(count_points(positions, {0.0F, 0.0F, 1.0F}, 2), testing::ElementsAre(1, 1, 0, 2));
}

}  // namespace
}  // namespace astroclip::map
