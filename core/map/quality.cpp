#include "map/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "base/threads.h"
#include "map/distance_internal.h"
#include "search/knn.h"

namespace astroclip::map {

namespace {

constexpr int64_t queries_together = 8;  // that look at a row while it is in the cache

/// Sums over some queries.
struct RankSums {
  int64_t excess = 0;  ///< Σ (rank − k) of neighbours on the map beyond rank k
  int64_t kept = 0;    ///< neighbours on the map within rank k
};

/// Adds the ranks, by distances in `rows`, of a row's neighbours on the map.
void add_ranks(std::span<const float> distances, int64_t row, std::span<const int64_t> neighbours, RankSums& sums) {
  const auto k = std::ssize(neighbours);
  for (const int64_t neighbour : neighbours) {
    const float own = distances[static_cast<size_t>(neighbour)];
    int64_t nearer = 0;
    for (int64_t i = 0; i < std::ssize(distances); ++i) {
      const float distance = distances[static_cast<size_t>(i)];
      nearer +=
          static_cast<int64_t>(distance < own || (distance == own && i < neighbour)) & static_cast<int64_t>(i != row);
    }
    const int64_t rank = nearer + 1;
    if (rank <= k)
      ++sums.kept;
    else
      sums.excess += rank - k;
  }
}

}  // namespace

Quality quality(const Matrix& rows, const Matrix& positions, int64_t k, int64_t most, uint64_t seed) {
  if (rows.rows != positions.rows) {
    throw Error(
        fmt::format("[map quality] expected as many positions as rows, {}, found {}", rows.rows, positions.rows));
  }
  const int64_t n = rows.rows;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  k = std::min(k, (n - 1) / 2);
  if (n < 4 || k < 1) return {nan, nan, k, 0};
  std::vector<int64_t> sample(static_cast<size_t>(n));
  std::iota(sample.begin(), sample.end(), int64_t{0});
  Rng(seed ^ stable_hash("map quality"), RngStream::probes).shuffle(std::span(sample));
  sample.resize(static_cast<size_t>(std::min(n, most)));
  std::ranges::sort(sample);

  const search::Neighbours on_map = search::nearest(select_rows(positions, sample), positions, k + 1);
  std::vector<int64_t> neighbours;  // [sample, k], without the rows themselves
  for (size_t i = 0; i < sample.size(); ++i) {
    const size_t begin = i * static_cast<size_t>(k + 1), size = neighbours.size();
    for (size_t at = begin; neighbours.size() < size + static_cast<size_t>(k); ++at) {
      if (on_map.index[at] != sample[i]) neighbours.push_back(on_map.index[at]);
    }
  }

  const auto count = std::ssize(sample);
  const int64_t groups = (count + queries_together - 1) / queries_together;
  std::vector<RankSums> sums(static_cast<size_t>(groups));
  parallel_for(groups, 1, [&](int64_t first_group, int64_t last_group) {
    std::vector<std::vector<float>> distances(queries_together, std::vector<float>(static_cast<size_t>(n)));
    for (int64_t group = first_group; group < last_group; ++group) {
      const int64_t begin = group * queries_together, end = std::min(begin + queries_together, count);
      for (int64_t row = 0; row < n; ++row) {
        for (int64_t query = begin; query < end; ++query) {
          distances[static_cast<size_t>(query - begin)][static_cast<size_t>(row)] = squared_distance_of(
              rows.row(sample[static_cast<size_t>(query)]).data(), rows.row(row).data(), rows.columns);
        }
      }
      for (int64_t query = begin; query < end; ++query) {
        add_ranks(distances[static_cast<size_t>(query - begin)], sample[static_cast<size_t>(query)],
                  std::span(neighbours).subspan(static_cast<size_t>(query * k), static_cast<size_t>(k)),
                  sums[static_cast<size_t>(group)]);
      }
    }
  });
  RankSums total;
  for (const RankSums& some : sums) {
    total.excess += some.excess;
    total.kept += some.kept;
  }
  const double pairs = static_cast<double>(count) * static_cast<double>(k);
  const double worst = pairs * static_cast<double>(2 * n - 3 * k - 1) / 2.0;
  return {1.0 - static_cast<double>(total.excess) / worst, static_cast<double>(total.kept) / pairs, k, count};
}

}  // namespace astroclip::map
