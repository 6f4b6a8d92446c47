#include "search/knn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"

namespace astroclip::search {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr float infinite = std::numeric_limits<float>::infinity(),
                not_a_number = std::numeric_limits<float>::quiet_NaN();

Matrix normal_rows(int64_t rows, int64_t columns, uint64_t seed, double scale = 1.0, double offset = 0.0) {
  Rng rng(seed, RngStream::tests);
  Matrix matrix{rows, columns, std::vector<float>(static_cast<size_t>(rows * columns))};
  for (float& value : matrix.values) value = static_cast<float>(scale * rng.normal() + offset);
  return matrix;
}

Matrix sum(Matrix a, const Matrix& b) {
  std::ranges::transform(a.values, b.values, a.values.begin(), std::plus<>());
  return a;
}

/// Row i lies `spread` from point i % clusters, which lies `distance` from the origin.
Matrix clustered_rows(int64_t rows, int64_t columns, int64_t clusters, double distance, double spread, uint64_t seed) {
  std::vector<int64_t> cluster(static_cast<size_t>(rows));
  for (size_t i = 0; i < cluster.size(); ++i) cluster[i] = static_cast<int64_t>(i) % clusters;
  return sum(select_rows(normal_rows(clusters, columns, 1, distance), cluster),
             normal_rows(rows, columns, seed, spread));
}

/// Few distinct values, so that many distances are equal.
Matrix whole_rows(int64_t rows, int64_t columns, uint64_t seed) {
  Matrix matrix = normal_rows(rows, columns, seed);
  for (float& value : matrix.values) value = std::round(value);
  return matrix;
}

void set_value(Matrix& matrix, int64_t row, float value) {
  matrix.values[static_cast<size_t>(row * matrix.columns + row % matrix.columns)] = value;
}

float not_finite(int64_t row) { return row % 7 < 2 ? infinite : row % 7 < 4 ? -infinite : not_a_number; }

/// The plain loop.
Neighbours nearest_by_loop(const Matrix& queries, const Matrix& among, int64_t k) {
  Neighbours result{std::min(k, among.rows), {}, {}};
  for (int64_t query = 0; query < queries.rows; ++query) {
    std::vector<std::pair<double, int64_t>> squares;
    for (int64_t i = 0; i < among.rows; ++i) {
      const float *a = queries.row(query).data(), *b = among.row(i).data();
      double sum = 0.0;
      for (int64_t column = 0; column < among.columns; ++column) {
        const double difference = double{a[column]} - double{b[column]};
        sum += difference * difference;
      }
      squares.emplace_back(std::isnan(sum) ? infinite : sum, i);
    }
    std::ranges::sort(squares);
    for (size_t i = 0; i < static_cast<size_t>(result.k); ++i) {
      result.index.push_back(squares[i].second);
      result.distance.push_back(std::sqrt(squares[i].first));
    }
  }
  return result;
}

double cosine(const float* a, const float* b, int64_t columns) {
  double sum = 0.0;
  for (int64_t column = 0; column < columns; ++column) sum += double{a[column]} * double{b[column]};
  return sum;
}

/// Ranks of the rows of `among` in the lists of the queries, by the plain loop.
std::vector<int64_t> ranks_by_loop(const Matrix& queries, const Matrix& among) {
  const Matrix a = unit_rows(queries), b = unit_rows(among);
  std::vector<int64_t> ranks;
  for (int64_t i = 0; i < a.rows; ++i) {
    const double own = cosine(a.row(i).data(), b.row(i).data(), a.columns);
    ranks.push_back(1);
    for (int64_t j = 0; j < b.rows; ++j) {
      if (j != i && !(cosine(a.row(i).data(), b.row(j).data(), a.columns) < own)) ++ranks.back();
    }
  }
  return ranks;
}

struct Pair {
  Matrix queries, among;
};

struct Case {
  std::string name;
  std::function<Pair()> make;
  int64_t k = 16;
};

void PrintTo(const Case& of, std::ostream* out) { *out << of.name; }

/// Two sets of normal rows.
Pair normal_pair(int64_t queries, int64_t rows, int64_t columns, double scale = 1.0, double offset = 0.0) {
  return {normal_rows(queries, columns, 2, scale, offset), normal_rows(rows, columns, 3, scale, offset)};
}

Pair clustered_pair(int64_t queries, int64_t rows, int64_t clusters, double distance, double spread) {
  return {clustered_rows(queries, 16, clusters, distance, spread, 2),
          clustered_rows(rows, 16, clusters, distance, spread, 3)};
}

Pair equal_rows(int64_t queries, int64_t rows) {
  return {{queries, 2, std::vector<float>(static_cast<size_t>(2 * queries), 0.1F)},
          {rows, 2, std::vector<float>(static_cast<size_t>(2 * rows), 0.3F)}};
}

/// Of every `of` rows all but the first `finite` have a value that is not finite.
Pair with_not_finite(Pair pair, int64_t finite, int64_t of) {
  for (Matrix* matrix : {&pair.queries, &pair.among}) {
    for (int64_t row = 0; row < matrix->rows; ++row) {
      if (row % of >= finite) set_value(*matrix, row, not_finite(row));
    }
  }
  return pair;
}

Pair with_outlier() {
  Pair pair = normal_pair(40, 2500, 16);
  set_value(pair.among, 1000, 1e30F);
  return pair;
}

Pair approaching() {
  Pair pair{{3, 1, {0, -1, 5}}, {4000, 1, std::vector<float>(4000)}};
  std::iota(pair.among.values.rbegin(), pair.among.values.rend(), 1.0F);
  return pair;
}

Pair far_apart(double offset, double other_offset) {
  return {normal_rows(300, 16, 2, 1, offset), normal_rows(300, 16, 3, 1, other_offset)};
}

class Nearest : public testing::TestWithParam<Case> {};

TEST_P(Nearest, AreThoseOfThePlainLoop) {
  const auto [queries, among] = GetParam().make();
  const int64_t k = GetParam().k;
  const Neighbours expected = nearest_by_loop(queries, among, k), found = nearest(queries, among, k);
  EXPECT_EQ(found.k, expected.k);
  EXPECT_EQ(found.index, expected.index);
  EXPECT_EQ(found.distance, expected.distance);  // bit for bit
}

const auto name_of_case = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(
    Of, Nearest,
    testing::Values(Case{"Normal", [] { return normal_pair(40, 5000, 16); }},
                    Case{"ManyQueries", [] { return normal_pair(2500, 300, 3); }},
                    Case{"Wide", [] { return normal_pair(5, 2100, 600); }},
                    Case{"OneColumn", [] { return normal_pair(40, 5000, 1); }},
                    Case{"OneRow", [] { return normal_pair(5, 1, 7); }},
                    Case{"NearDuplicates", [] { return clustered_pair(40, 5000, 40, 1, 1e-7); }},
                    Case{"TwoTightClusters", [] { return clustered_pair(40, 2500, 2, 1e3, 1e-4); }},
                    Case{"Ties",
                         [] {
                           return Pair{whole_rows(40, 3, 2), whole_rows(2500, 3, 3)};
                         }},
                    Case{"EqualRows", [] { return equal_rows(5, 4000); }},
                    Case{"CommonOffset", [] { return normal_pair(40, 2500, 16, 1, 1e4); }},
                    Case{"QueriesFarAway", [] { return far_apart(1e6, 0); }}, Case{"Outlier", with_outlier},
                    Case{"Approaching", approaching},
                    Case{"AllNeighbours", [] { return normal_pair(10, 2500, 4); }, 9999},
                    Case{"Small", [] { return normal_pair(40, 2500, 16, 1e-30); }},
                    Case{"Subnormal", [] { return normal_pair(40, 2500, 4, 1e-42); }},
                    Case{"Large", [] { return normal_pair(40, 2500, 16, 5e37); }},
                    Case{"HalfNotFinite", [] { return with_not_finite(normal_pair(40, 2500, 4), 1, 2); }},
                    Case{"HardlyAnyFinite", [] { return with_not_finite(normal_pair(3, 2500, 4), 1, 500); }}),
    name_of_case);

TEST(Neighbours, AreInOrderAndEqualDistancesByRow) {
  const auto found = nearest({2, 1, {2, 4}}, {4, 1, {0, 1, 4, 4}}, 3);
  EXPECT_THAT(found.index, ElementsAre(1, 0, 2, 2, 3, 1));
  EXPECT_THAT(found.distance, ElementsAre(1, 2, 2, 0, 0, 3));
}

TEST(Neighbours, AreNoMoreThanThereAre) {
  EXPECT_EQ(nearest({2, 1, {0, 1}}, {2, 1, {0, 1}}, 64).k, 2);
  EXPECT_THAT(
      [] {
        nearest({1, 2, {0, 1}}, {2, 1, {0, 1}}, 1);
      },
      testing::ThrowsMessage<Error>("[nearest] rows must be equally wide and some, found 1 × 2 and 2 × 1"));
}

TEST(Neighbours, ThatAreNotFiniteComeLast) {
  const auto found = nearest({2, 1, {1, not_a_number}}, {3, 1, {infinite, not_a_number, 4}}, 3);
  EXPECT_THAT(found.index, ElementsAre(2, 0, 1, 0, 1, 2));
  EXPECT_THAT(found.distance, ElementsAre(3, infinite, infinite, infinite, infinite, infinite));
}

class Ranks : public testing::TestWithParam<Case> {};

TEST_P(Ranks, AreThoseOfThePlainLoop) {
  const auto [queries, among] = GetParam().make();
  const PartnerRanks found = partner_ranks(queries, among);
  EXPECT_EQ(found.in_queries, ranks_by_loop(queries, among));
  EXPECT_EQ(found.in_among, ranks_by_loop(among, queries));
}

INSTANTIATE_TEST_SUITE_P(Of, Ranks,
                         testing::Values(Case{"Unrelated", [] { return normal_pair(300, 300, 16); }},
                                         Case{"Alike",
                                              [] {
                                                const Matrix rows = normal_rows(300, 16, 2);
                                                return Pair{rows, sum(rows, normal_rows(300, 16, 3, 0.5))};
                                              }},
                                         Case{"ManyPairs", [] { return normal_pair(2100, 2100, 2); }},
                                         Case{"Wide", [] { return normal_pair(60, 60, 600); }},
                                         Case{"Cone", [] { return far_apart(1e3, 1e3); }},
                                         Case{"TwoCones", [] { return far_apart(1e3, -10); }},
                                         Case{"NearDuplicates", [] { return clustered_pair(300, 300, 7, 1, 1e-7); }},
                                         Case{"Ties",
                                              [] {
                                                return Pair{whole_rows(300, 3, 2), whole_rows(300, 3, 3)};
                                              }},  // rows of zeros, too
                                         Case{"OneColumn", [] { return normal_pair(300, 300, 1); }},
                                         Case{"EqualRows", [] { return equal_rows(300, 300); }},
                                         Case{"NotFinite",
                                              [] { return with_not_finite(normal_pair(300, 300, 4), 3, 5); }}),
                         name_of_case);

TEST(PartnerRanks, CountWhatIsNearerThanThePartner) {
  // Directions 0°, 90°, 45° and 90°, 2°, 45°.
  const Matrix queries{3, 2, {1, 0, 0, 1, 1, 1}}, among{3, 2, {0, 2, 3, 0.1F, 5, 5}};
  EXPECT_THAT(partner_ranks(queries, among).in_queries, ElementsAre(3, 3, 1));
  EXPECT_THAT(partner_ranks(queries, among).in_among, ElementsAre(3, 3, 1));
}

TEST(PartnerRanks, OfAConstantEmbeddingAreLast) {
  const Matrix same{3, 2, {1, 1, 1, 1, 1, 1}};
  EXPECT_THAT(partner_ranks(same, same).in_queries, ElementsAre(3, 3, 3));
}

TEST(PartnerRanks, OfRowsThatAreNotFiniteAreLast) {
  Matrix queries = normal_rows(1000, 16, 2);
  const Matrix among = normal_rows(1000, 16, 3);
  for (int64_t row = 0; row < 500; ++row) set_value(queries, row, infinite);
  const std::vector<int64_t> ranks = partner_ranks(queries, among).in_queries;
  EXPECT_THAT(std::vector(ranks.begin(), ranks.begin() + 500), Each(1000));
  EXPECT_LT(std::ranges::count(ranks, 1), 10);
}

TEST(UnitRows, KeepAZeroRow) {
  EXPECT_THAT(unit_rows({2, 2, {3, 4, 0, 0}}).values,
              ElementsAre(testing::FloatNear(0.6F, 1e-6F), testing::FloatNear(0.8F, 1e-6F), 0, 0));
}

}  // namespace
}  // namespace astroclip::search
