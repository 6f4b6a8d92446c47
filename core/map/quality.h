#pragma once

#include <cstdint>
#include <functional>

#include "map/unit_rows.h"
#include "tensor/matrix.h"

namespace astroclip::map {

/// How well a map keeps the neighbourhoods of the rows it shows.
struct Quality {
  double trustworthiness =
      0;                    ///< Venna & Kaski 2001, equation 2: 1 where every neighbour on the map is one of the rows
  double preservation = 0;  ///< mean share of a row's k nearest that are among its k nearest on the map
  int64_t k = 0;
  int64_t objects = 0;  ///< whose neighbours were looked at
};

/// Of up to `most` rows drawn at random, among all rows, by Euclidean distances; equal distances by row number. Ranks
/// are of distances by float32 products. k is cut to less than half the rows. NaN for fewer than four rows. `between`
/// is called now and then, and may throw to end the work. Throws Error when the numbers of rows differ.
Quality quality(const RowSource& rows, const Matrix& positions, int64_t k, int64_t most, uint64_t seed,
                const std::function<void()>& between = {});
Quality quality(const Matrix& rows, const Matrix& positions, int64_t k, int64_t most, uint64_t seed);

}  // namespace astroclip::map
