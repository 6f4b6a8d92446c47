#include "map/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/threads.h"
#include "map/distance_internal.h"
#include "ops/operators.h"
#include "ops/ops.h"
#include "search/nearest_internal.h"

namespace astroclip::map {

namespace {

constexpr int64_t rows_of_a_product = 2048;

/// Of one row of the sample: its neighbours on the map, and how many rows are nearer to it than each.
struct RankedNeighbours {
  int64_t row = 0;
  std::vector<int64_t> neighbours;
  std::vector<float> keys;  ///< |x|²/2 − q·x, which orders rows x as their distances to the row q do
  std::vector<int64_t> nearer;
};

std::vector<float> half_squares(const Matrix& rows) {
  std::vector<float> halves(static_cast<size_t>(rows.rows));
  for (int64_t row = 0; row < rows.rows; ++row) {
    const float* values = rows.row(row).data();
    halves[static_cast<size_t>(row)] = 0.5F * sum_of(rows.columns, [=](int64_t i) { return values[i] * values[i]; });
  }
  return halves;
}

/// Counts those of the rows from `first` on that are nearer than each neighbour.
void add_nearer(std::span<const float> keys, int64_t first, RankedNeighbours& ranked) {
  const auto count = std::ssize(keys);
  for (size_t i = 0; i < ranked.neighbours.size(); ++i) {
    const float own = ranked.keys[i];
    const int64_t at = ranked.neighbours[i] - first, before = std::clamp<int64_t>(at, 0, count);
    int32_t nearer = 0;  // rows before the neighbour come first where they are as near
    for (int64_t row = 0; row < before; ++row) nearer += static_cast<int32_t>(keys[static_cast<size_t>(row)] <= own);
    for (int64_t row = before; row < count; ++row) nearer += static_cast<int32_t>(keys[static_cast<size_t>(row)] < own);
    // The row itself is none of its neighbours, nor is a neighbour, whose key is rounded otherwise here, before itself.
    const auto counted = [&](int64_t row) {
      if (row < 0 || row >= count) return 0;
      const float key = keys[static_cast<size_t>(row)];
      return static_cast<int>(row < at ? key <= own : key < own);
    };
    ranked.nearer[i] += nearer - counted(ranked.row - first) - counted(at);
  }
}

}  // namespace

Quality quality(const RowSource& rows, const Matrix& positions, int64_t k, int64_t most, uint64_t seed,
                const std::function<void()>& between) {
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

  const auto count = std::ssize(sample);
  const search::Neighbours on_map = search::nearest(select_rows(positions, sample), positions, k + 1, between);
  const Matrix queries = rows.select(sample);
  std::vector<RankedNeighbours> ranked(sample.size());
  for (size_t i = 0; i < sample.size(); ++i) {
    RankedNeighbours& own = ranked[i];
    own.row = sample[i];
    for (size_t at = i * static_cast<size_t>(k + 1); std::ssize(own.neighbours) < k; ++at) {
      if (on_map.index[at] != sample[i]) own.neighbours.push_back(on_map.index[at]);
    }
    own.nearer.resize(static_cast<size_t>(k));
    const Matrix near = rows.select(own.neighbours);
    own.keys = half_squares(near);
    const float* query = queries.row(static_cast<int64_t>(i)).data();
    for (int64_t at = 0; at < k; ++at) {
      const float* values = near.row(at).data();
      own.keys[static_cast<size_t>(at)] -= sum_of(rows.columns, [=](int64_t c) { return query[c] * values[c]; });
    }
  }

  const autograd::NoGrad no_grad;
  const ops::PrecisionScope precision(Precision::f32);
  const auto as_tensor = [](const Matrix& some) {
    return Tensor::from_host(some.values, {some.rows, some.columns}, DType::f32, Device::host());
  };
  const Tensor left = as_tensor(queries);
  for (int64_t first = 0; first < n; first += rows_of_a_product) {
    if (between) between();
    std::vector<int64_t> some(static_cast<size_t>(std::min(rows_of_a_product, n - first)));
    std::iota(some.begin(), some.end(), first);
    const Matrix block = rows.select(some);
    const std::vector<float> halves = half_squares(block);
    const Tensor products = ops::matmul_nt(left, as_tensor(block));
    const auto* values = products.data_as<float>();
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> keys(halves.size());
      for (int64_t query = begin; query < end; ++query) {
        const float* own = values + query * block.rows;
        for (size_t i = 0; i < keys.size(); ++i) keys[i] = halves[i] - own[i];
        add_nearer(keys, first, ranked[static_cast<size_t>(query)]);
      }
    });
  }

  int64_t excess = 0, kept = 0;  // ranks beyond k, and neighbours within rank k
  for (const RankedNeighbours& own : ranked) {
    for (const int64_t nearer : own.nearer) {
      excess += std::max<int64_t>(0, nearer + 1 - k);
      kept += nearer < k ? 1 : 0;
    }
  }
  const double pairs = static_cast<double>(count) * static_cast<double>(k);
  const double worst = pairs * static_cast<double>(2 * n - 3 * k - 1) / 2.0;
  return {1.0 - static_cast<double>(excess) / worst, static_cast<double>(kept) / pairs, k, count};
}

Quality quality(const Matrix& rows, const Matrix& positions, int64_t k, int64_t most, uint64_t seed) {
  const auto select = [&](std::span<const int64_t> some) { return select_rows(rows, some); };
  return quality({rows.rows, rows.columns, select}, positions, k, most, seed);
}

}  // namespace astroclip::map
