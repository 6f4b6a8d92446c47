#include "backend/cuda/attention.h"
#include "backend/cuda/attention_tiles.h"
#include "backend/cuda/scratch.h"

namespace astroclip::cuda {

namespace {

/// A side of the backward pass. By queries: rows q and dy, columns k and v, result dq. By keys: rows k and v, columns q
/// and dy, results dk and dv.
template <class T>
struct Backward {
  HeadsOf<const T> row_a, row_b, column_a, column_b;
  HeadsOf<T> result_a, result_b;
  const float* log_sum_exp;  ///< [batch, heads, queries]
  const float* centre;       ///< Σ dy·y, the same
  int64_t heads, width, pieces, tiles;
  float scale;
  bool wide;
};

/// Of a tile of rows against the columns, a tile of them after the other, with p = exp(scale · a aᵀ − log Σ exp) and
/// ds = scale · p (b bᵀ − Σ dy·y): result_a = Σ ds · column_a and, by keys, result_b = Σ p · column_b.
template <class T, class Tile, bool by_keys>
__global__ void __launch_bounds__(Tile::threads, 2) differentiate_tile(Backward<T> a) {
  const AttentionPlace place(a.heads, a.pieces, a.tiles);
  auto* row_a = dynamic_shared<float>();
  float* row_b = row_a + Tile::rows * Tile::pitch;
  float* column_a = row_b + Tile::rows * Tile::pitch;
  float* column_b = column_a + Tile::columns * Tile::pitch;
  float* weights = column_b + Tile::columns * Tile::pitch;
  const int row = static_cast<int>(threadIdx.x) / 16 * Tile::rows_each, lane = static_cast<int>(threadIdx.x) % 16;
  weights += row * Tile::score_pitch;
  const int64_t own = place.tile * Tile::rows, rows = a.row_a.tokens, columns = a.column_a.tokens;
  const int64_t head = place.head * a.width;
  const float* log_sum_exp = a.log_sum_exp + (place.batch * a.heads + place.head) * (by_keys ? columns : rows);
  const float* centre = a.centre + (place.batch * a.heads + place.head) * (by_keys ? columns : rows);

  float of_a[Tile::rows_each][Tile::results_each] = {}, of_b[Tile::rows_each][Tile::results_each] = {};
  for (int64_t first = 0; first < columns; first += Tile::columns) {
    float p[Tile::rows_each][Tile::columns_each] = {}, ds[Tile::rows_each][Tile::columns_each] = {};
    for (int64_t i = 1; i <= a.pieces; ++i) {  // the piece that is multiplied by the weights comes last
      const int64_t begin = (place.piece + i) % a.pieces * Tile::width;
      __syncthreads();
      if (first == 0 || a.pieces > 1) {
        load_rows<Tile, Tile::rows>(row_a, a.row_a.head(place.batch, head), a.row_a, own, begin, a.width, a.wide);
        load_rows<Tile, Tile::rows>(row_b, a.row_b.head(place.batch, head), a.row_b, own, begin, a.width, a.wide);
      }
      load_rows<Tile, Tile::columns>(column_a, a.column_a.head(place.batch, head), a.column_a, first, begin, a.width,
                                     a.wide);
      load_rows<Tile, Tile::columns>(column_b, a.column_b.head(place.batch, head), a.column_b, first, begin, a.width,
                                     a.wide);
      __syncthreads();
      const int width = there(begin, Tile::width, a.width);
      add_scores<Tile>(p, row_a + row * Tile::pitch, column_a + lane * Tile::pitch, width);
      add_scores<Tile>(ds, row_b + row * Tile::pitch, column_b + lane * Tile::pitch, width);
    }
#pragma unroll
    for (int i = 0; i < Tile::rows_each; ++i) {
#pragma unroll
      for (int j = 0; j < Tile::columns_each; ++j) {
        const int64_t column = first + lane + 16 * j, query = by_keys ? column : own + row + i;
        if (own + row + i < rows && column < columns) {
          p[i][j] = expf(p[i][j] * a.scale - log_sum_exp[query]);
          ds[i][j] = a.scale * p[i][j] * (ds[i][j] - centre[query]);
        } else {
          p[i][j] = ds[i][j] = 0.0F;
        }
      }
    }
    const int count = there(first, Tile::columns, columns);
    if constexpr (by_keys) {
      share_scores<Tile>(weights + lane, p);
      add_weighted<Tile>(of_b, weights, column_b + 4 * lane, count);
    }
    share_scores<Tile>(weights + lane, ds);
    add_weighted<Tile>(of_a, weights, column_a + 4 * lane, count);
  }
  const int64_t column = place.piece * Tile::width + 4 * lane;
  store_rows<Tile>(a.result_a, a.result_a.head(place.batch, head), own + row, of_a, column, a.width, a.wide);
  if constexpr (by_keys) {
    store_rows<Tile>(a.result_b, a.result_b.head(place.batch, head), own + row, of_b, column, a.width, a.wide);
  }
}

/// sums [batch, heads, tokens] = Σ dy·y, a warp each.
template <class T>
__global__ void __launch_bounds__(256) sum_products(HeadsOf<const T> dy, HeadsOf<const T> y, int64_t lines,
                                                    int64_t heads, int64_t width, bool wide, float* sums) {
  const int64_t line = thread_of_grid() / 32, lane = threadIdx.x % 32;
  if (line >= lines) return;
  const int64_t batch = line / y.tokens / heads, token = line % y.tokens, head = line / y.tokens % heads * width;
  const T* left = dy.head(batch, head) + token * dy.token_stride;
  const T* right = y.head(batch, head) + token * y.token_stride;
  float sum = 0.0F;
  if (wide) {
    for (int64_t i = 4 * lane; i < width; i += 128) {
      const Floats<4> a = load<4>(left + i), b = load<4>(right + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) sum = fmaf(a[j], b[j], sum);
    }
  } else {
    for (int64_t i = lane; i < width; i += 32) sum = fmaf(to_float(left[i]), to_float(right[i]), sum);
  }
  sum = over_warp<Sum>(sum);
  if (lane == 0) sums[line] = sum;
}

template <class T, int width, bool by_keys>
void run_side(const AttentionBackwardArguments& a, const float* centre) {
  const HeadsOf<const T> q(a.q), k(a.k), v(a.v), dy(a.dy);
  with_tile<width, by_keys>((by_keys ? a.k : a.q).tokens, (by_keys ? a.q : a.k).tokens, [&](auto chosen) {
    using Tile = decltype(chosen);
    const int64_t pieces = (a.width + width - 1) / width;
    const int64_t tiles = ((by_keys ? a.k : a.q).tokens + Tile::rows - 1) / Tile::rows;
    const Backward<T> backward{by_keys ? k : q,
                               by_keys ? v : dy,
                               by_keys ? q : k,
                               by_keys ? dy : v,
                               HeadsOf<T>(by_keys ? a.dk : a.dq),
                               HeadsOf<T>(by_keys ? a.dv : a.dq),
                               a.log_sum_exp.as<float>(),
                               centre,
                               a.heads,
                               a.width,
                               pieces,
                               tiles,
                               static_cast<float>(a.scale),
                               are_wide<T>(a.width, a.q, a.k, a.v, a.dy, a.dq, a.dk, a.dv)};
    constexpr size_t shared =
        sizeof(float) * (2 * (Tile::rows + Tile::columns) * Tile::pitch + Tile::rows * Tile::score_pitch);
    launch_shared(&differentiate_tile<T, Tile, by_keys>, static_cast<unsigned>(a.batch * a.heads * pieces * tiles),
                  Tile::threads, shared, backward);
  });
}

template <class T, int width>
void run(const AttentionBackwardArguments& a) {
  const int64_t lines = a.batch * a.heads * a.q.tokens;
  const Scratch centre(lines * size_of(DType::f32));
  launch(&sum_products<T>, blocks_for(lines, 8), 256, HeadsOf<const T>(a.dy), HeadsOf<const T>(a.y), lines, a.heads,
         a.width, are_wide<T>(a.width, a.y, a.dy), centre.as<float>());
  run_side<T, width, false>(a, centre.as<float>());
  run_side<T, width, true>(a, centre.as<float>());
}

}  // namespace

void attend_backward(const AttentionBackwardArguments& a) {
  with_float(a.dtype, "attention_backward", [&](auto type) {
    using T = decltype(type);
    if (a.width <= 64) return run<T, 64>(a);
    run<T, 128>(a);
  });
}

}  // namespace astroclip::cuda
