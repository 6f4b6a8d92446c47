#include "map/umap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "base/threads.h"
#include "map/kept_parts.h"
#include "map/quality.h"

namespace astroclip::map {
namespace {

using testing::HasSubstr;

constexpr int64_t row_groups = 6, row_width = 20;

/// Row i is of group i % 6, whose centre lies 10 from the origin along an axis of its own; its spread is 1.
Matrix grouped_rows(int64_t rows) {
  Rng rng(3, RngStream::tests);
  Matrix matrix{rows, row_width, {}};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < row_width; ++column) {
      matrix.values.push_back(static_cast<float>(rng.normal() + (column == row % row_groups ? 10.0 : 0.0)));
    }
  }
  return matrix;
}

double distance(const Matrix& positions, int64_t a, int64_t b) {
  return std::hypot(positions.row(a)[0] - positions.row(b)[0], positions.row(a)[1] - positions.row(b)[1]);
}

TEST(Umap, PartsGroupsAndKeepsNeighbours) {
  const Matrix rows = grouped_rows(600), positions = umap(rows, {});
  ASSERT_EQ(positions.rows, 600);
  ASSERT_EQ(positions.columns, 2);
  int64_t same = 0;
  for (int64_t row = 0; row < rows.rows; ++row) {
    int64_t nearest = row == 0 ? 1 : 0;
    for (int64_t other = 0; other < rows.rows; ++other) {
      if (other != row && distance(positions, row, other) < distance(positions, row, nearest)) nearest = other;
    }
    same += nearest % row_groups == row % row_groups;
  }
  EXPECT_EQ(same, 600) << "the nearest on the map is of the same group";
  EXPECT_GT(quality(rows, positions, 15, 600, 1).trustworthiness, 0.9);
}

/// Rows that follow each other on a curve in ten dimensions are neighbours on the map.
TEST(Umap, KeepsACircle) {
  Matrix rows{500, 10, std::vector<float>(5000)};
  for (size_t row = 0; row < 500; ++row) {
    const double angle = 2.0 * M_PI * static_cast<double>(row) / 500.0;
    for (size_t column = 0; column < 10; column += 2) {
      rows.values[row * 10 + column] = static_cast<float>(std::cos(angle));
      rows.values[row * 10 + column + 1] = static_cast<float>(std::sin(angle));
    }
  }
  const Matrix positions = umap(rows, {});
  const Quality kept = quality(rows, positions, 15, 500, 1);
  EXPECT_GT(kept.trustworthiness, 0.99);
  EXPECT_GT(kept.preservation, 0.7);
}

TEST(Umap, GivesTheSameBitsForAnyNumberOfThreads) {
  const Matrix rows = grouped_rows(3000);  // enough for several threads in each round
  const int before = compute_threads();
  set_compute_threads(1);
  const Matrix one = umap(rows, {.epochs = 15});
  set_compute_threads(2);
  const Matrix two = umap(rows, {.epochs = 15});
  set_compute_threads(5);
  const Matrix five = umap(rows, {.epochs = 15});
  set_compute_threads(before);
  EXPECT_EQ(one.values, two.values);
  EXPECT_EQ(one.values, five.values);
  EXPECT_NE(umap(rows, {.epochs = 15, .seed = 2}).values, one.values);
}

TEST(Umap, PlacesFewAndEqualRows) {
  for (const int64_t rows : {1, 2, 3, 40}) {
    const Matrix equal{rows, 3, std::vector<float>(static_cast<size_t>(3 * rows), 2.0F)};
    const Matrix positions = umap(equal, {});
    ASSERT_EQ(positions.rows, rows);
    for (const float value : positions.values) EXPECT_TRUE(std::isfinite(value)) << rows << " rows";
  }
}

TEST(Umap, NamesARowThatIsNotFinite) {
  Matrix rows = grouped_rows(20);
  rows.values[7 * row_width] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT([&] { umap(rows, {}); }, testing::ThrowsMessage<Error>("[umap] row 7 is not finite"));
  EXPECT_THAT([] { umap({}, {}); }, testing::ThrowsMessage<Error>(HasSubstr("needs rows")));
}

TEST(Umap, TellsHowFarItIsAndCanBeEnded) {
  struct Ended {};
  double last = 0.0;
  umap(grouped_rows(50), {.epochs = 10}, [&](double share) {
    EXPECT_GE(share, last);
    last = share;
  });
  EXPECT_EQ(last, 1.0);
  EXPECT_THROW(umap(grouped_rows(50), {}, [](double) { throw Ended(); }), Ended);
}

/// Ended after any of its parts, it goes on to the same positions.
TEST(Umap, GoesOnFromWhatAKeeperHas) {
  struct Ended {};
  const Matrix rows = grouped_rows(9000);  // whose neighbours are found in two parts
  const UmapOptions options{.epochs = 25};
  NeighbourDistances expected_distances;
  const Matrix expected = umap(rows, options, {}, &expected_distances);
  KeptParts kept;
  const Keeper keeper = keeper_of(kept);
  std::vector<size_t> counts;
  for (const size_t most : {1U, 2U, 3U, 4U}) {
    EXPECT_THROW(umap(
                     rows, options,
                     [&](double) {
                       if (kept.size() >= most) throw Ended();
                     },
                     nullptr, &keeper),
                 Ended);
    counts.push_back(kept.size());
  }
  EXPECT_THAT(counts, testing::ElementsAre(1U, 2U, 3U, 4U)) << "two of neighbours, those after 20 and 25 epochs";
  NeighbourDistances distances;
  EXPECT_EQ(umap(rows, options, {}, &distances, &keeper).values, expected.values);
  EXPECT_EQ(distances.mean, expected_distances.mean);
}

TEST(Umap, TellsTheDistancesOfItsGraph) {
  Matrix rows{5, 1, {0, 1, 3, 3, 10}};
  NeighbourDistances distances;
  umap(rows, {.neighbours = 3}, {}, &distances);
  EXPECT_THAT(distances.mean, testing::ElementsAre(2.0F, 1.5F, 1.0F, 1.0F, 7.0F));
  EXPECT_THAT(distances.least, testing::ElementsAre(1.0F, 1.0F, 0.0F, 0.0F, 7.0F));
}

}  // namespace
}  // namespace astroclip::map
