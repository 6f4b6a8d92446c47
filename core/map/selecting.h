#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace astroclip::map {

/// Some of all rows: bit i % 64 of word i / 64 stands for row i.
using Mask = std::vector<uint64_t>;

inline bool is_set(const Mask& mask, int64_t row) {
  return (mask[static_cast<size_t>(row / 64)] >> (row % 64) & 1) != 0;
}
inline void set(Mask& mask, int64_t row) { mask[static_cast<size_t>(row / 64)] |= uint64_t{1} << (row % 64); }
Mask no_row(int64_t rows);
Mask every_row(int64_t rows);
int64_t count_of(const Mask& mask);
/// The rows from place `first` on, counted among the mask's rows, at most `most` of them.
std::vector<int64_t> rows_of(const Mask& mask, int64_t first, int64_t most);

/// The rows whose positions [rows, 2] lie within a polygon: an odd number of its edges lie to their right. Positions
/// that are not finite lie nowhere. The corners lie within the range of float32.
Mask inside(std::span<const float> positions, std::span<const std::array<double, 2>> polygon);

/// The rows whose values lie from `low` to `high`, both included; NaN never does.
Mask within(std::span<const float> values, double low, double high);

/// The row nearest to a place of the map, no farther than `farthest`; of several the first; −1: none.
int64_t nearest_row(std::span<const float> positions, double x, double y, double farthest);

}  // namespace astroclip::map
