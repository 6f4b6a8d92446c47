#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace astroclip::search {

/// Rows of floats, row-major: a view on somebody's matrix.
struct Rows {
  std::span<const float> values;
  int64_t columns = 0;
  int64_t count() const { return columns == 0 ? 0 : static_cast<int64_t>(values.size()) / columns; }
};

/// The k rows of `among` nearest to each query, nearest first; equal distances by row number.
struct Neighbours {
  int64_t k = 0;
  std::vector<int64_t> index;    ///< [queries, k]
  std::vector<double> distance;  ///< [queries, k], Euclidean
};

/// Exact search, distances in float64.
/// k is cut to the number of rows. Throws Error when the widths differ or `among` is empty.
Neighbours nearest(const Rows& queries, const Rows& among, int64_t k);

/// Mean of the neighbours' targets, weighted by inverse distance; neighbours at distance 0 decide alone.
/// targets [among rows, outputs], row-major; gives [queries, outputs].
std::vector<double> knn_regression(const Neighbours& neighbours, std::span<const double> targets, int64_t outputs);

/// The rank (from 1) of row i of `among` in the list of query i, by falling cosine; ties rank the partner last among
/// its equals, so that a constant embedding does not look perfect.
std::vector<int64_t> partner_ranks(const Rows& queries, const Rows& among);

/// Scaled to zero mean and unit deviation by the columns of `reference`; constant columns become zero.
std::vector<float> standardised(const Rows& rows, const Rows& reference);

/// Scaled to unit length; a zero row stays zero.
std::vector<float> unit_rows(const Rows& rows);

}  // namespace astroclip::search
