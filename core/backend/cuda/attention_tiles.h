#pragma once

#include <algorithm>

#include "backend/cuda/vector.h"

/// What the forward and backward kernels of attention share: tiles of rows and columns in shared memory as float32, and
/// products of them in registers. A block has groups of 16 threads; a group has some rows of the tile, and a thread of
/// it every sixteenth column of the scores and four of every 64 columns of the results.
namespace astroclip::cuda {

template <int width_, int groups, int rows_each_, int columns_each_>
struct AttentionTile {
  static constexpr int width = width_;  ///< columns of a head that lie in shared memory at a time
  static constexpr int rows_each = rows_each_, columns_each = columns_each_, results_each = width / 16;
  static constexpr int threads = 16 * groups, rows = groups * rows_each, columns = 16 * columns_each;
  static constexpr int pitch = width + 4, score_pitch = columns + 4;  // no bank conflicts
};

/// A square tile keeps the units of float32 busy; the others waste less where one side is short.
template <int width>
using SquareTile = AttentionTile<width, 16, width == 64 ? 5 : 4, width == 64 ? 5 : 2>;
template <int width>
using SmallTile = AttentionTile<width, 16, 2, 2>;
template <int width>
using FewRowsTile = AttentionTile<width, 8, 1, 4>;
template <int width>
using FewColumnsTile = AttentionTile<width, 16, 4, 1>;

/// Calls body with a tile for that many rows, of which a block takes some, and columns, which it takes in turn.
template <int width, bool by_keys, class Body>
void with_tile(int64_t rows, int64_t columns, const Body& body) {
  if constexpr (by_keys) {
    if (columns <= FewColumnsTile<width>::columns) return body(FewColumnsTile<width>{});
  } else {
    if (rows <= FewRowsTile<width>::rows) return body(FewRowsTile<width>{});
  }
  if (rows <= SmallTile<width>::rows && columns <= SmallTile<width>::columns) return body(SmallTile<width>{});
  body(SquareTile<width>{});
}

/// Heads of an operand.
template <class T>
struct HeadsOf {
  T* data;
  int64_t tokens, batch_stride, token_stride;

  template <class Heads>
  explicit HeadsOf(const Heads& x)
      : data(static_cast<T*>(x.data)), tokens(x.tokens), batch_stride(x.batch_stride), token_stride(x.token_stride) {}
  __device__ T* head(int64_t batch, int64_t first_column) const { return data + batch * batch_stride + first_column; }
};

/// Whether four elements of any head may be read at once.
template <class T, class... Heads>
bool are_wide(int64_t width, const Heads&... heads) {
  const auto is_wide = [](const auto& x) {
    return reinterpret_cast<uintptr_t>(x.data) % (4 * sizeof(T)) == 0 && x.batch_stride % 4 == 0 &&
           x.token_stride % 4 == 0;
  };
  return width % 4 == 0 && (is_wide(heads) && ...);
}

/// What a block computes: tile `tile` of a head and those columns of the result that begin at piece · width of a tile.
struct AttentionPlace {
  int64_t batch, head, piece, tile;
  __device__ AttentionPlace(int64_t heads, int64_t pieces, int64_t tiles) {
    const auto at = static_cast<int64_t>(blockIdx.x);
    tile = at % tiles;
    piece = at / tiles % pieces;
    head = at / tiles / pieces % heads;
    batch = at / tiles / pieces / heads;
  }
};

/// Columns [begin, begin + width of the tile) of `count` rows of a head; zeros where the head ends.
template <class Tile, int count, class T>
__device__ void load_rows(float* to, const T* head, const HeadsOf<const T>& of, int64_t first, int64_t begin,
                          int64_t width, bool wide) {
  constexpr int quads = Tile::width / 4;
  for (int i = static_cast<int>(threadIdx.x); i < count * quads; i += Tile::threads) {
    const int row = i / quads, column = i % quads * 4;
    Floats<4> values = {};
    if (first + row < of.tokens) {
      const T* from = head + (first + row) * of.token_stride + begin + column;
      if (wide && begin + column < width) {
        values = load<4>(from);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          if (begin + column + j < width) values[j] = to_float(from[j]);
        }
      }
    }
    store<4>(to + row * Tile::pitch + column, values);
  }
}

/// Writes a thread's results: `column` is its first.
template <class Tile, class T>
__device__ void store_rows(const HeadsOf<T>& of, T* head, int64_t first,
                           const float (&results)[Tile::rows_each][Tile::results_each], int64_t column, int64_t width,
                           bool wide) {
#pragma unroll
  for (int row = 0; row < Tile::rows_each; ++row) {
    if (first + row >= of.tokens) break;
    T* to = head + (first + row) * of.token_stride + column;
#pragma unroll
    for (int part = 0; part < Tile::width / 64; ++part) {
      Floats<4> values;
#pragma unroll
      for (int j = 0; j < 4; ++j) values[j] = results[row][4 * part + j];
      if (wide && column + 64 * part < width) {
        store<4>(to + 64 * part, values);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          if (column + 64 * part + j < width) to[64 * part + j] = from_float<T>(values[j]);
        }
      }
    }
  }
}

/// sums[row][column] += Σ a[row, i] b[column, i] for i < width. `a` begins at the thread's rows, `b` at its first
/// column. Sums of sums of 32 terms round less than one long sum.
template <class Tile>
__device__ void add_scores(float (&sums)[Tile::rows_each][Tile::columns_each], const float* a, const float* b,
                           int width) {
  for (int begin = 0; begin < width; begin += 32) {
    const int end = begin + 32 < width ? begin + 32 : width;
    float part[Tile::rows_each][Tile::columns_each] = {};
#pragma unroll 2
    for (int i = begin; i < end; i += 4) {
      Floats<4> left[Tile::rows_each];
#pragma unroll
      for (int row = 0; row < Tile::rows_each; ++row) left[row] = load<4>(a + row * Tile::pitch + i);
#pragma unroll
      for (int column = 0; column < Tile::columns_each; ++column) {
        const Floats<4> right = load<4>(b + 16 * column * Tile::pitch + i);
#pragma unroll
        for (int row = 0; row < Tile::rows_each; ++row) {
#pragma unroll
          for (int j = 0; j < 4; ++j) part[row][column] = fmaf(left[row][j], right[j], part[row][column]);
        }
      }
    }
#pragma unroll
    for (int row = 0; row < Tile::rows_each; ++row) {
#pragma unroll
      for (int column = 0; column < Tile::columns_each; ++column) sums[row][column] += part[row][column];
    }
  }
}

/// results[row] += Σ weights[row, i] b[i] for i < count. `weights` begins at the thread's rows, `b` at its first
/// column.
template <class Tile>
__device__ void add_weighted(float (&results)[Tile::rows_each][Tile::results_each], const float* weights,
                             const float* b, int count) {
#pragma unroll 2
  for (int i = 0; i < count; i += 4) {
    Floats<4> left[Tile::rows_each];
#pragma unroll
    for (int row = 0; row < Tile::rows_each; ++row) left[row] = load<4>(weights + row * Tile::score_pitch + i);
#pragma unroll
    for (int step = 0; step < 4; ++step) {
#pragma unroll
      for (int part = 0; part < Tile::width / 64; ++part) {
        const Floats<4> right = load<4>(b + (i + step) * Tile::pitch + 64 * part);
#pragma unroll
        for (int row = 0; row < Tile::rows_each; ++row) {
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            results[row][4 * part + j] = fmaf(left[row][step], right[j], results[row][4 * part + j]);
          }
        }
      }
    }
  }
}

/// A thread's scores, or what was made of them, to shared memory, from where its group reads them.
template <class Tile>
__device__ void share_scores(float* to, const float (&scores)[Tile::rows_each][Tile::columns_each]) {
  __syncwarp();
#pragma unroll
  for (int row = 0; row < Tile::rows_each; ++row) {
#pragma unroll
    for (int column = 0; column < Tile::columns_each; ++column)
      to[row * Tile::score_pitch + 16 * column] = scores[row][column];
  }
  __syncwarp();
}

/// How many of the `size` columns from `begin` there are.
__device__ inline int there(int64_t begin, int size, int64_t end) {
  return end - begin < size ? static_cast<int>(end - begin) : size;
}

}  // namespace astroclip::cuda
