#pragma once

#include <cstdint>
#include <vector>

#include "tensor/matrix.h"

namespace astroclip::search {

/// The k rows of `among` nearest to each query, nearest first; equal distances by row number.
struct Neighbours {
  int64_t k = 0;
  std::vector<int64_t> index;    ///< [queries, k]
  std::vector<double> distance;  ///< [queries, k], Euclidean
};

/// Exact search, distances in float64.
/// k is cut to the number of rows. Throws Error when the widths differ or `among` is empty.
Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k);

/// The rank (from 1) of row i of `among` in the list of query i, by falling cosine; ties rank the partner last among
/// its equals, so that a constant embedding does not look perfect.
std::vector<int64_t> partner_ranks(const Matrix& queries, const Matrix& among);

/// Scaled to unit length; a zero row stays zero.
Matrix unit_rows(Matrix rows);

}  // namespace astroclip::search
