#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace astroclip::map {

/// Euclidean, summed in float64.
double norm_of(std::span<const float> row);

struct Similar {
  int64_t row = 0;
  double cosine = 0;
};

/// Unit rows as bytes (8-bit scalar quantisation), which are looked through with a quarter of the memory traffic: a row
/// is the centre plus its codes times its scale, but for a rest of known norm.
struct QuantisedRows {
  std::vector<float> centre;                       ///< [columns]
  int64_t block_rows = 0;                          ///< of each block but the last
  std::vector<std::span<const std::byte>> blocks;  ///< as quantised() gives
};
/// The mean of unit rows [rows, columns], of a sample of them.
std::vector<float> centre_of_units(std::span<const float> rows, int64_t columns);
/// Codes, scales and norms of the rests of a block of rows [rows, columns], and how many bytes they take.
std::vector<std::byte> quantised(std::span<const float> rows, std::span<const float> centre);
size_t quantised_bytes(int64_t rows, int64_t columns);

/// Of each query the k rows among [first, last) of [rows, columns] with the greatest cosine, greatest first, equal ones
/// by row, without row `except` (−1: none is left out). Exact: cosines are as summed in float64. Rows that are zero or
/// not finite are never among them, and such a query has none. With codes of the rows, these are looked through
/// instead, and only rows that their rests leave open are read.
std::vector<std::vector<Similar>> most_similar(std::span<const std::span<const float>> queries,
                                               std::span<const float> rows, const QuantisedRows* codes, int64_t first,
                                               int64_t last, int64_t k, int64_t except);
/// The same of one query among all rows.
std::vector<Similar> most_similar(std::span<const float> query, std::span<const float> rows, int64_t k,
                                  int64_t except = -1);

/// Where to look for what is like some examples and unlike others: 0.75 times the mean of the positive ones' unit
/// vectors minus 0.15 times that of the negative ones' (Rocchio 1971, with the weights of Manning, Raghavan & Schütze
/// 2008, section 9.1.1). Examples that are zero or not finite are left out; empty without positive ones.
std::vector<float> direction_of(std::span<const std::span<const float>> positive,
                                std::span<const std::span<const float>> negative);

}  // namespace astroclip::map
