#pragma once

#include "backend/cuda/vector.h"

/// What the kernels of convolutions share: they are products of matrices, the left or right one of which is read
/// through the windows. A block computes a tile of 16 · rows_each rows and 64 columns; a thread rows_each rows and 4
/// columns of it, over `depth` terms at a time.
namespace astroclip::cuda {

inline constexpr int depth = 16, tile_columns = 64, product_threads = 256;

template <int rows_each>
struct ProductTile {
  static constexpr int rows = 16 * rows_each, row_pitch = rows + 4, column_pitch = tile_columns + 4;
};

/// Positions of a plane under windows: of a result [batch, rows, columns], which position of the source
/// [batch, source_rows, source_columns] lies at a place of the window.
struct WindowMap {
  int rows, columns, source_rows, source_columns, window_columns;
  int stride[2], padding[2];

  WindowMap(const Shape& result, const Shape& source, const Windows& windows)
      : rows(static_cast<int>(result[1])),
        columns(static_cast<int>(result[2])),
        source_rows(static_cast<int>(source[1])),
        source_columns(static_cast<int>(source[2])),
        window_columns(static_cast<int>(windows.size[1])) {
    for (size_t axis = 0; axis < 2; ++axis) {
      stride[axis] = static_cast<int>(windows.stride[axis]);
      padding[axis] = static_cast<int>(windows.padding[axis]);
    }
  }
};

/// A position of the result, and the window's first position in the source.
struct WindowAt {
  int64_t sample = 0;
  int row = 0, column = 0;
  WindowAt() = default;
  __device__ WindowAt(const WindowMap& map, int64_t position) {
    const int64_t plane = static_cast<int64_t>(map.rows) * map.columns;
    sample = position / plane;
    const auto rest = static_cast<int>(position - sample * plane);
    row = rest / map.columns;
    column = rest - row * map.columns;
  }
  __device__ void advance(const WindowMap& map, int positions) {
    column += positions;
    while (column >= map.columns) {
      column -= map.columns;
      if (++row == map.rows) row = 0, ++sample;
    }
  }
};

/// Along an axis: the source's position, or −1. `turned`: the result has the positions, the source the windows.
template <bool turned>
__device__ int source_along(int at, int place, int stride, int padding, int extent) {
  int from = at * stride - padding + place;
  if constexpr (turned) {
    from = at + padding - place;
    if (from % stride != 0) return -1;
    from /= stride;
  }
  return from < extent ? from : -1;
}

/// The source's position of `at` under a place of the window; −1 beyond the border.
template <bool turned>
__device__ int64_t source_of(const WindowMap& map, const WindowAt& at, int place) {
  const int row = place / map.window_columns, column = place - row * map.window_columns;
  const int y = source_along<turned>(at.row, row, map.stride[0], map.padding[0], map.source_rows);
  const int x = source_along<turned>(at.column, column, map.stride[1], map.padding[1], map.source_columns);
  if (y < 0 || x < 0) return -1;
  return (at.sample * map.source_rows + y) * map.source_columns + x;
}

/// Four elements from term `from` = place · channels + channel of the window at a position. `wide`: they lie together.
template <bool turned, class T>
__device__ Floats<4> gather(const T* source, const WindowMap& map, const WindowAt& at, int from, int terms,
                            int channels, bool wide) {
  Floats<4> values = {};
  if (wide) {
    if (from >= terms) return values;
    const int place = from / channels;
    const int64_t position = source_of<turned>(map, at, place);
    return position < 0 ? values : load<4>(source + position * channels + (from - place * channels));
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (from + i >= terms) break;
    const int place = (from + i) / channels;
    const int64_t position = source_of<turned>(map, at, place);
    if (position >= 0) values[i] = to_float(source[position * channels + (from + i - place * channels)]);
  }
  return values;
}

/// Four elements of a row of a matrix from a column on.
__device__ inline Floats<4> load_row(const float* row, int64_t column, int64_t columns, bool wide) {
  Floats<4> values = {};
  if (wide) return column < columns ? load<4>(row + column) : values;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < columns) values[i] = row[column + i];
  }
  return values;
}

/// sums += aᵀ b over the terms in shared memory, a [depth, rows], b [depth, columns].
template <int rows_each>
__device__ void add_terms(float (&sums)[rows_each][4], const float* a, const float* b) {
  using Tile = ProductTile<rows_each>;
#pragma unroll
  for (int term = 0; term < depth; ++term) {
    const Floats<4> right = load<4>(b + term * Tile::column_pitch);
#pragma unroll
    for (int part = 0; part < rows_each / 4; ++part) {
      const Floats<4> left = load<4>(a + term * Tile::row_pitch + 64 * part);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[4 * part + i][j] = fmaf(left[i], right[j], sums[4 * part + i][j]);
      }
    }
  }
}

}  // namespace astroclip::cuda
