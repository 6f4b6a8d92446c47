#include "map/quality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/rng.h"

namespace astroclip::map {
namespace {

Matrix normal_rows(int64_t rows, int64_t columns, uint64_t seed) {
  Rng rng(seed, RngStream::tests);
  Matrix matrix{rows, columns, {}};
  for (int64_t i = 0; i < rows * columns; ++i) matrix.values.push_back(static_cast<float>(rng.normal()));
  return matrix;
}

/// The other rows, nearest first.
std::vector<int64_t> ordered(const Matrix& rows, int64_t of) {
  std::vector<std::pair<double, int64_t>> others;
  for (int64_t row = 0; row < rows.rows; ++row) {
    if (row == of) continue;
    double square = 0.0;
    for (size_t i = 0; i < static_cast<size_t>(rows.columns); ++i) {
      square += std::pow(double{rows.row(row)[i]} - double{rows.row(of)[i]}, 2);
    }
    others.push_back({square, row});
  }
  std::ranges::sort(others);
  std::vector<int64_t> order;
  for (const auto& [ignored, row] : others) order.push_back(row);
  return order;
}

/// By the words of the definition.
Quality by_definition(const Matrix& rows, const Matrix& positions, int64_t k) {
  double excess = 0.0, kept = 0.0;
  const auto n = static_cast<double>(rows.rows), neighbours = static_cast<double>(k);
  for (int64_t row = 0; row < rows.rows; ++row) {
    const auto truly = ordered(rows, row), on_map = ordered(positions, row);
    for (int64_t i = 0; i < k; ++i) {
      const auto rank = std::ranges::find(truly, on_map[static_cast<size_t>(i)]) - truly.begin() + 1;
      if (rank > k)
        excess += static_cast<double>(rank - k);
      else
        ++kept;
    }
  }
  return {1.0 - 2.0 / (n * neighbours * (2.0 * n - 3.0 * neighbours - 1.0)) * excess, kept / (n * neighbours), k,
          rows.rows};
}

TEST(MapQuality, IsAsDefined) {
  const Matrix rows = normal_rows(200, 37, 1);
  Matrix part{200, 2, {}};  // the first two columns: neither faithful nor at random
  for (int64_t row = 0; row < 200; ++row) part.values.insert(part.values.end(), {rows.row(row)[0], rows.row(row)[1]});
  for (const Matrix& positions : {part, normal_rows(200, 2, 2)}) {
    for (const int64_t k : {1, 5, 15}) {
      const Quality expected = by_definition(rows, positions, k), found = quality(rows, positions, k, 1000, 1);
      EXPECT_NEAR(found.trustworthiness, expected.trustworthiness, 1e-12);
      EXPECT_NEAR(found.preservation, expected.preservation, 1e-12);
      EXPECT_EQ(found.objects, 200);
    }
  }
}

TEST(MapQuality, IsOneOfTheRowsThemselves) {
  const Matrix rows = normal_rows(100, 2, 3);
  const Quality own = quality(rows, rows, 10, 100, 1);
  EXPECT_EQ(own.trustworthiness, 1.0);
  EXPECT_EQ(own.preservation, 1.0);
}

TEST(MapQuality, OfASampleIsNearThatOfAll) {
  const Matrix rows = normal_rows(1200, 8, 4), positions = normal_rows(1200, 2, 5);
  const Quality all = quality(rows, positions, 15, 1200, 1), some = quality(rows, positions, 15, 300, 1);
  EXPECT_EQ(some.objects, 300);
  // A row's share of the trustworthiness has a standard deviation below 0.1: three times that of the mean of 300.
  EXPECT_NEAR(some.trustworthiness, all.trustworthiness, 0.02);
}

TEST(MapQuality, FetchesRowsAndCanBeEnded) {
  struct Ended {};
  const Matrix rows = normal_rows(5000, 2, 8);
  Matrix mirrored = rows;
  for (float& value : mirrored.values) value = -value;
  const RowSource source{5000, 2, [&](std::span<const int64_t> some) { return select_rows(rows, some); }};
  const Quality found = quality(source, mirrored, 15, 5000, 1);
  EXPECT_NEAR(found.trustworthiness, 1.0, 1e-6) << "float32 may order what is as near otherwise";
  EXPECT_NEAR(found.preservation, 1.0, 1e-3);
  EXPECT_THROW(quality(source, mirrored, 15, 100, 1, [] { throw Ended(); }), Ended);
}

TEST(MapQuality, CutsNeighboursToLessThanHalfTheRows) {
  EXPECT_EQ(quality(normal_rows(20, 3, 6), normal_rows(20, 2, 7), 15, 20, 1).k, 9);
  EXPECT_TRUE(std::isnan(quality(normal_rows(3, 3, 6), normal_rows(3, 2, 7), 15, 20, 1).trustworthiness));
  EXPECT_THAT([] { quality(normal_rows(20, 3, 6), normal_rows(19, 2, 7), 15, 20, 1); },
              testing::ThrowsMessage<Error>("[map quality] expected as many positions as rows, 20, found 19"));
}

}  // namespace
}  // namespace astroclip::map
