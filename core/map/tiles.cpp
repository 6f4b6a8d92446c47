#include "map/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"

namespace astroclip::map {

namespace {

constexpr float margin = 0.02F;  // of the larger side, on either side
constexpr int32_t last_level = 24;
constexpr double steps_of_a_tile = 65536.0;

bool is_placed(std::span<const float> positions, size_t row) {
  return std::isfinite(positions[2 * row]) && std::isfinite(positions[2 * row + 1]);
}

/// Where a coordinate lies in the extent, from 0 to less than 1.
double share_of(float coordinate, float start, float side) {
  const double share = (double{coordinate} - double{start}) / double{side};
  return std::clamp(share, 0.0, std::nextafter(1.0, 0.0));
}

class TileBuilder {
 public:
  TileBuilder(std::span<const float> positions, Tiles& tiles, const std::function<void()>& between)
      : positions_(positions), tiles_(tiles), between_(between) {}

  /// The tile of points in random order, and those below it.
  void build(int32_t level, int32_t x, int32_t y, std::span<uint32_t> rows) {
    if (between_) between_();
    const auto own = level == last_level ? std::ssize(rows) : std::min(std::ssize(rows), points_of_a_tile);
    tiles_.tiles.push_back({level, x, y, static_cast<int32_t>(own), std::ssize(tiles_.row), std::ssize(rows)});
    for (const uint32_t row : rows.first(static_cast<size_t>(own))) {
      tiles_.x.push_back(place(row, 0, level, x));
      tiles_.y.push_back(place(row, 1, level, y));
      tiles_.row.push_back(row);
    }
    std::span<uint32_t> rest = rows.subspan(static_cast<size_t>(own));
    if (rest.empty()) return;
    const auto half = [&](size_t axis) {
      return [this, axis, level](uint32_t row) { return (cell(row, axis, level + 1) & 1) == 0; };
    };
    const auto split = [](std::span<uint32_t> some, auto is_low) {
      const auto high = std::stable_partition(some.begin(), some.end(), is_low);
      return static_cast<size_t>(high - some.begin());
    };
    const size_t upper = split(rest, half(1));
    int32_t part = 0;
    for (std::span<uint32_t> row_of_two : {rest.first(upper), rest.subspan(upper)}) {
      const size_t right = split(row_of_two, half(0));
      for (std::span<uint32_t> quarter : {row_of_two.first(right), row_of_two.subspan(right)}) {
        if (!quarter.empty()) build(level + 1, 2 * x + part % 2, 2 * y + part / 2, quarter);
        ++part;
      }
    }
  }

 private:
  double share(uint32_t row, size_t axis) const {
    const Extent& extent = tiles_.extent;
    return share_of(positions_[2 * size_t{row} + axis], axis == 0 ? extent.left : extent.bottom, extent.side);
  }
  int64_t cell(uint32_t row, size_t axis, int32_t level) const {
    return static_cast<int64_t>(std::ldexp(share(row, axis), level));
  }
  uint16_t place(uint32_t row, size_t axis, int32_t level, int32_t tile) const {
    return static_cast<uint16_t>((std::ldexp(share(row, axis), level) - tile) * steps_of_a_tile);
  }

  std::span<const float> positions_;
  Tiles& tiles_;
  const std::function<void()>& between_;
};

}  // namespace

Extent extent_of(std::span<const float> positions) {
  float low[2], high[2];
  std::ranges::fill(low, std::numeric_limits<float>::infinity());
  std::ranges::fill(high, -std::numeric_limits<float>::infinity());
  for (size_t row = 0; 2 * row < positions.size(); ++row) {
    if (!is_placed(positions, row)) continue;
    for (size_t axis = 0; axis < 2; ++axis) {
      low[axis] = std::min(low[axis], positions[2 * row + axis]);
      high[axis] = std::max(high[axis], positions[2 * row + axis]);
    }
  }
  if (low[0] > high[0]) return {};
  const float longest = std::max(high[0] - low[0], high[1] - low[1]);
  const float side = longest > 0.0F ? longest * (1.0F + 2.0F * margin) : 1.0F;
  return {0.5F * (low[0] + high[0] - side), 0.5F * (low[1] + high[1] - side), side};
}

Tiles make_tiles(std::span<const float> positions, uint64_t seed, const std::function<void()>& between) {
  const size_t count = positions.size() / 2;
  if (count > std::numeric_limits<uint32_t>::max()) throw Error(fmt::format("[map] {} rows are too many", count));
  Tiles tiles;
  tiles.extent = extent_of(positions);
  std::vector<uint32_t> rows;
  for (size_t row = 0; row < count; ++row) {
    if (is_placed(positions, row)) rows.push_back(static_cast<uint32_t>(row));
  }
  Rng(seed ^ stable_hash("tiles"), RngStream::probes).shuffle(std::span(rows));
  tiles.x.reserve(rows.size());
  tiles.y.reserve(rows.size());
  tiles.row.reserve(rows.size());
  TileBuilder(positions, tiles, between).build(0, 0, 0, rows);
  return tiles;
}

std::vector<uint32_t> count_points(std::span<const float> positions, const Extent& extent, int64_t cells) {
  std::vector<uint32_t> counts(static_cast<size_t>(cells * cells));
  const auto scale = static_cast<double>(cells);
  for (size_t row = 0; 2 * row < positions.size(); ++row) {
    if (!is_placed(positions, row)) continue;
    const auto x = static_cast<int64_t>(scale * share_of(positions[2 * row], extent.left, extent.side));
    const auto y = static_cast<int64_t>(scale * share_of(positions[2 * row + 1], extent.bottom, extent.side));
    ++counts[static_cast<size_t>(y * cells + x)];
  }
  return counts;
}

}  // namespace astroclip::map
