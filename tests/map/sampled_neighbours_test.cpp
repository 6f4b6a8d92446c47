#include "map/sampled_neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "map/kept_parts.h"
#include "search/knn.h"

namespace astroclip::map {
namespace {

constexpr int64_t count = 1500, width = 8, duplicates = 40;
constexpr int64_t outlier = 900;  // opposite to all others

/// Directions in five groups; the last rows are near-duplicates of the first ones, and row 7 is no direction.
std::vector<float> grouped_rows() {
  std::vector<float> rows;
  for (int64_t row = 0; row < count; ++row) {
    const bool is_copy = row >= count - duplicates;
    Rng own(4, RngStream::tests, 0, static_cast<uint64_t>(row)),
        noise(5, RngStream::tests, 0, static_cast<uint64_t>(row));
    for (int64_t column = 0; column < width; ++column) {
      if (is_copy) {
        const float copied = rows[static_cast<size_t>((row - count + duplicates) * width + column)];
        rows.push_back(1.7F * copied + static_cast<float>(1e-3 * noise.normal()));
      } else {
        rows.push_back(static_cast<float>(0.2 * own.normal() + (column == row % 5 ? 1.0 : 0.0)));
      }
    }
    if (row == outlier) {
      for (int64_t column = 0; column < width; ++column) rows[static_cast<size_t>(row * width + column)] = -1.0F;
    }
  }
  rows[7 * width] = NAN;
  return rows;
}

/// The nearest of all to each usable row, by looking at all.
search::Neighbours exact(const UnitRows& rows, int64_t k) {
  std::vector<int64_t> all(static_cast<size_t>(rows.count()));
  std::iota(all.begin(), all.end(), int64_t{0});
  const Matrix units = rows.select(all);
  return search::nearest(units, units, k);
}

TEST(SampledDistances, FindNearDuplicatesAndAreNeverTooSmall) {
  const std::vector<float> values = grouped_rows();
  const UnitRows rows(values, width);
  ASSERT_EQ(rows.count(), count - 1);
  const search::Neighbours near = exact(rows, 2);
  for (const int64_t most : {int64_t{8192}, int64_t{16}}) {  // cells as a whole, and in parts
    const NeighbourDistances found = sampled_distances(rows, {.references = 60, .most_of_cell = most});
    int64_t same = 0;
    for (int64_t i = 0; i < rows.count(); ++i) {
      const auto at = static_cast<size_t>(i);
      const float least = static_cast<float>(near.distance[2 * at + 1]);
      EXPECT_GE(found.least[at], least - 1e-6F) << i;
      same += found.least[at] <= least + 1e-6F;
      const int64_t row = rows.row(i), first = row < duplicates ? row : row - count + duplicates;
      if (first >= 0 && first != 7 && (row < duplicates || row >= count - duplicates)) {
        EXPECT_NEAR(found.least[at], least, 1e-6F) << i;
      }
    }
    EXPECT_GT(same, rows.count() / 2);
  }
}

TEST(SampledDistances, OutliersAreFarFromTheReferences) {
  const std::vector<float> values = grouped_rows();
  const UnitRows rows(values, width);
  const SampledOptions options{.references = 60, .neighbours = 5};
  const NeighbourDistances found = sampled_distances(rows, options);
  const std::vector<int64_t> references = rows.sample(options.references, options.seed);
  EXPECT_EQ(rows.row(std::ranges::max_element(found.mean) - found.mean.begin()), outlier);
  for (int64_t i = 0; i < rows.count(); i += 37) {
    const std::vector<int64_t> own = {i};
    const Matrix unit = rows.select(own), others = rows.select(references);
    std::vector<double> distances;
    for (int64_t reference = 0; reference < others.rows; ++reference) {
      if (references[static_cast<size_t>(reference)] == i) continue;
      double square = 0.0;
      for (int64_t column = 0; column < width; ++column)
        square += std::pow(double{unit.row(0)[static_cast<size_t>(column)]} -
                               double{others.row(reference)[static_cast<size_t>(column)]},
                           2);
      distances.push_back(std::sqrt(square));
    }
    std::ranges::sort(distances);
    EXPECT_NEAR(double{found.mean[static_cast<size_t>(i)]},
                std::accumulate(distances.begin(), distances.begin() + 5, 0.0) / 5.0, 1e-6)
        << i;
  }
}

TEST(SampledDistances, GoOnWhereTheyWereEnded) {
  struct Ended {};
  const std::vector<float> values = grouped_rows();
  const UnitRows rows(values, width);
  const SampledOptions options{.references = 60};
  const NeighbourDistances expected = sampled_distances(rows, options);
  KeptParts kept;
  const Keeper keeper = keeper_of(kept);
  const auto end_in_cells = [](double share) {
    if (share > 0.9) throw Ended();
  };
  EXPECT_THROW(sampled_distances(rows, options, end_in_cells, &keeper), Ended);
  EXPECT_FALSE(kept.empty());
  double least = 1.0;
  const NeighbourDistances found = sampled_distances(
      rows, options, [&](double share) { least = std::min(least, share); }, &keeper);
  EXPECT_GE(least, 0.85) << "neither references nor cells are looked through again";
  EXPECT_EQ(found.mean, expected.mean);
  EXPECT_EQ(found.least, expected.least);
}

TEST(SampledDistances, AreKeptBesideAnUnfinishedMap) {
  const std::vector<float> values = grouped_rows();
  const UnitRows rows(values, width);
  const SampledOptions options{.references = 60};
  KeptParts kept;
  const Keeper keeper = keeper_of(kept);
  std::vector<int64_t> all(static_cast<size_t>(rows.count()));
  std::iota(all.begin(), all.end(), int64_t{0});
  (void)umap(rows.select(all), {.neighbours = 5, .epochs = 20}, {}, nullptr, &keeper);
  const NeighbourDistances found = sampled_distances(rows, options, {}, &keeper),
                           expected = sampled_distances(rows, options);
  EXPECT_EQ(found.mean, expected.mean);
  EXPECT_EQ(found.least, expected.least);
}

}  // namespace
}  // namespace astroclip::map
