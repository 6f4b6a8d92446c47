#include "map/similar.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "base/rng.h"
#include "map/byte_products_internal.h"

namespace astroclip::map {
namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<float> normal_values(int64_t count, uint64_t seed) {
  Rng rng(seed, RngStream::tests);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(rng.normal()));
  return values;
}

/// The k rows from `first` to before `last` with the greatest cosines, by all of them in float64.
std::vector<Similar> by_definition(std::span<const float> query, std::span<const float> rows, int64_t first,
                                   int64_t last, int64_t k, int64_t except) {
  std::vector<std::pair<double, int64_t>> all;
  for (int64_t row = first; row < last; ++row) {
    double product = 0.0, own = 0.0, of_query = 0.0;
    for (size_t i = 0; i < query.size(); ++i) {
      const double a = double{rows[static_cast<size_t>(row) * query.size() + i]}, b = double{query[i]};
      product += a * b;
      own += a * a;
      of_query += b * b;
    }
    const double cosine = product / std::sqrt(own * of_query);
    if (std::isfinite(cosine) && row != except) all.push_back({-cosine, row});
  }
  std::ranges::sort(all);
  std::vector<Similar> best;
  for (size_t i = 0; i < all.size() && std::ssize(best) < k; ++i) best.push_back({all[i].second, -all[i].first});
  return best;
}

void expect_same(const std::vector<Similar>& found, const std::vector<Similar>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].row, expected[i].row) << "place " << i;
    EXPECT_NEAR(found[i].cosine, expected[i].cosine, 1e-14);
  }
}

/// Rows that differ from others by less than codes tell, some of them equal, zero, not finite, very large or small, or
/// with one value above all others.
std::vector<float> hostile_rows(int64_t rows, int64_t columns) {
  std::vector<float> values = normal_values(rows * columns, 3);
  const auto row_of = [&](int64_t row) {
    return std::span(values).subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
  };
  for (int64_t row = 0; row < rows; ++row) {
    const auto own = row_of(row), base = row_of(row % 5);
    if (row % 3 == 0) {
      for (size_t i = 0; i < own.size(); ++i) own[i] = base[i] + 3e-3F * own[i];
    }
    if (row % 50 == 6) std::ranges::copy(base, own.begin());
    if (row % 50 == 7) own[static_cast<size_t>(row % columns)] = 1000.0F;
    if (row % 50 == 8) std::ranges::fill(own, 0.0F);
    if (row % 50 == 9) own[0] = row % 4 == 1 ? not_a_number : std::numeric_limits<float>::infinity();
    if (row % 50 == 10) std::ranges::transform(base, own.begin(), [](float value) { return 1e30F * value; });
    if (row % 50 == 11) std::ranges::transform(base, own.begin(), [](float value) { return 1e-30F * value; });
  }
  return values;
}

struct Quantised {
  QuantisedRows rows;
  std::vector<std::vector<std::byte>> held;

  Quantised(std::span<const float> values, int64_t columns, int64_t of_block) {
    rows.centre = centre_of_units(values, columns);
    rows.block_rows = of_block;
    for (size_t begin = 0; begin < values.size(); begin += static_cast<size_t>(of_block * columns)) {
      const auto some = values.subspan(begin, std::min(static_cast<size_t>(of_block * columns), values.size() - begin));
      held.push_back(quantised(some, rows.centre));
      EXPECT_EQ(held.back().size(), quantised_bytes(std::ssize(some) / columns, columns));
      rows.blocks.push_back(held.back());
    }
  }
};

TEST(ByteProducts, AreExact) {
  constexpr int64_t rows = 7, pitch = 96, count = 3;
  Rng rng(1, RngStream::tests);
  std::vector<int8_t> codes;
  std::vector<int16_t> queries;
  for (int64_t i = 0; i < rows * pitch; ++i) codes.push_back(static_cast<int8_t>(rng.below(255) - 127));
  for (int64_t i = 0; i < count * pitch; ++i) queries.push_back(static_cast<int16_t>(rng.below(65535) - 32767));
  std::vector<int32_t> products(rows * count);
  byte_products(codes.data(), rows, pitch, queries.data(), count, products.data());
  for (int64_t query = 0; query < count; ++query) {
    for (int64_t row = 0; row < rows; ++row) {
      int64_t sum = 0;
      for (int64_t i = 0; i < pitch; ++i)
        sum += int64_t{codes[static_cast<size_t>(row * pitch + i)]} * queries[static_cast<size_t>(query * pitch + i)];
      EXPECT_EQ(products[static_cast<size_t>(query * rows + row)], sum);
    }
  }
}

TEST(MostSimilar, IsAsByAllCosinesInFloat64) {
  constexpr int64_t rows = 9000, columns = 37;
  const std::vector<float> values = hostile_rows(rows, columns);
  const Quantised codes(values, columns, 2000);
  std::vector<std::vector<float>> queries = {normal_values(columns, 4)};
  for (const int64_t row : {0, 3, 6, 10, 11, 57, 8, 9}) {
    queries.emplace_back(values.begin() + row * columns, values.begin() + (row + 1) * columns);
  }
  const std::vector<std::span<const float>> asked(queries.begin(), queries.end());
  for (const QuantisedRows* by : {static_cast<const QuantisedRows*>(nullptr), &codes.rows}) {
    for (const auto& [first, last, k] :
         {std::tuple<int64_t, int64_t, int64_t>(0, rows, 25), {1500, 6500, 3}, {0, rows, 1}}) {
      const auto found = most_similar(asked, values, by, first, last, k, 6);
      ASSERT_EQ(found.size(), queries.size());
      for (size_t i = 0; i < queries.size(); ++i) {
        SCOPED_TRACE(fmt::format("query {} by {}", i, by == nullptr ? "rows" : "codes"));
        expect_same(found[i], by_definition(queries[i], values, first, last, k, 6));
      }
    }
  }
  expect_same(most_similar(queries[0], values, 25), by_definition(queries[0], values, 0, rows, 25, -1));
}

TEST(MostSimilar, IsExactOfWideRows) {
  constexpr int64_t rows = 600, columns = 1024;
  const std::vector<float> values = hostile_rows(rows, columns);
  const Quantised codes(values, columns, 256);
  const std::vector<float> query(values.begin() + 12 * columns, values.begin() + 13 * columns);
  const std::vector<std::span<const float>> asked = {query};
  expect_same(most_similar(asked, values, &codes.rows, 0, rows, 40, 12)[0],
              by_definition(query, values, 0, rows, 40, 12));
}

TEST(MostSimilar, GivesNoMoreThanThereAre) {
  const std::vector<float> values = {1, 0, 0, 1, 0, 0};
  const auto found = most_similar(std::vector<float>{1, 0}, values, 10);
  ASSERT_EQ(found.size(), 2U) << "the third is zero";
  EXPECT_EQ(found[0].row, 0);
  EXPECT_EQ(found[1].cosine, 0.0);
}

TEST(DirectionOf, IsRocchiosOfUnitVectors) {
  const std::vector<float> right = {2, 0}, up = {0, 5}, zero = {0, 0}, bad = {std::nanf(""), 1};
  using Examples = std::vector<std::span<const float>>;
  EXPECT_THAT(direction_of(Examples{right, up, zero}, Examples{}), testing::ElementsAre(0.375F, 0.375F));
  EXPECT_THAT(direction_of(Examples{right}, Examples{up, bad}), testing::ElementsAre(0.75F, -0.15F));
  EXPECT_THAT(direction_of(Examples{bad}, Examples{up}), testing::IsEmpty());
}

}  // namespace
}  // namespace astroclip::map
