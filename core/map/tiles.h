#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tensor/matrix.h"

namespace astroclip::map {

/// The square that a map fills.
struct Extent {
  float left = 0, bottom = 0, side = 1;
};
/// Of the finite positions [rows, 2], with a margin; of none the unit square.
Extent extent_of(std::span<const float> positions);

/// A square of a quadtree: at `level` the extent has 2^level squares along each axis, counted from the lower left.
struct Tile {
  int32_t level = 0, x = 0, y = 0;
  int32_t count = 0;  ///< of its own points
  int64_t first = 0;  ///< of its own points
  int64_t below = 0;  ///< points in its square, its own among them, that no tile above it has
};

/// The points of a map in an order to draw them in: every point belongs to one tile, and the points of a tile are a
/// random sample of those in its square that no tile above it has. So the tiles of the first levels are a sample of the
/// whole, and with all tiles that touch a view every point in it is drawn.
struct Tiles {
  Extent extent;
  std::vector<Tile> tiles;  ///< a tile before those in its square
  // Of points, tile by tile:
  std::vector<uint16_t> x, y;  ///< within the tile's square, in 1/65536 of its side
  std::vector<uint32_t> row;
};

inline constexpr int64_t points_of_a_tile = 16384;

/// Positions [rows, 2]; rows that are not finite are left out. The same for any number of threads. `between` is called
/// before each tile, and may throw to end the work. Throws Error for 2^32 rows or more.
Tiles make_tiles(std::span<const float> positions, uint64_t seed, const std::function<void()>& between = {});

/// How many points lie in each of cells × cells squares of the extent, row by row from the lower left.
std::vector<uint32_t> count_points(std::span<const float> positions, const Extent& extent, int64_t cells);

}  // namespace astroclip::map
