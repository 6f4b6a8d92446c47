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

/// Exact search, as by distances summed in float64: float32 products find the rows that can be near enough, and only
/// their distances are summed. The distance to or from a row that is not finite is infinite: such a row comes after all
/// others, and such a query has rows 0 … k − 1.
/// k is cut to the number of rows. Throws Error when the widths differ or are 0 and when `among` is empty.
Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k);

/// Ranks (from 1) of partners, by falling cosine, in both directions.
struct PartnerRanks {
  std::vector<int64_t> in_queries;  ///< of row i of `among` in the list of query i
  std::vector<int64_t> in_among;    ///< of query i in the list of row i of `among`
};

/// Row i of `among` is the partner of query i. Cosines are as summed in float64 from unit rows; ties rank the partner
/// last among its equals, so that a constant embedding does not look perfect. A cosine that is not a number counts
/// against the partner: an object whose row or whose partner's row is not finite has the last rank.
/// Throws Error when the shapes differ or have no columns.
PartnerRanks partner_ranks(const Matrix& queries, const Matrix& among);

/// Scaled to unit length; a zero row stays zero.
Matrix unit_rows(Matrix rows);

}  // namespace astroclip::search
