#include "backend/cuda/attention.h"
#include "backend/cuda/attention_tiles.h"

namespace astroclip::cuda {

namespace {

template <class T>
struct Forward {
  HeadsOf<const T> q, k, v;
  HeadsOf<T> y;
  float* log_sum_exp;
  int64_t heads, width, pieces, tiles;
  float scale;
  bool wide;
};

/// Sum or Largest over a group of 16 threads.
template <class Op>
__device__ float over_group(float x) {
#pragma unroll
  for (int step = 8; step > 0; step >>= 1) x = Op::of(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
  return x;
}

/// A tile of queries against the keys, a tile of them after the other, with a running softmax (Milakov & Gimelshein
/// 2018).
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads, 2) attend_tile(Forward<T> a) {
  const AttentionPlace place(a.heads, a.pieces, a.tiles);
  auto* q = dynamic_shared<float>();
  float* k = q + Tile::rows * Tile::pitch;
  float* v = k + Tile::columns * Tile::pitch;
  float* p = v + Tile::columns * Tile::pitch;
  const int row = static_cast<int>(threadIdx.x) / 16 * Tile::rows_each, lane = static_cast<int>(threadIdx.x) % 16;
  const int64_t queries = place.tile * Tile::rows, column = place.head * a.width, keys = a.k.tokens;
  const T* q_head = a.q.head(place.batch, column);
  const T* k_head = a.k.head(place.batch, column);
  const T* v_head = a.v.head(place.batch, column);

  float results[Tile::rows_each][Tile::results_each] = {};
  float largest[Tile::rows_each], total[Tile::rows_each];
#pragma unroll
  for (int i = 0; i < Tile::rows_each; ++i) largest[i] = -INFINITY, total[i] = 0.0F;

  for (int64_t first = 0; first < keys; first += Tile::columns) {
    float scores[Tile::rows_each][Tile::columns_each] = {};
    for (int64_t piece = 0; piece < a.pieces; ++piece) {
      const int64_t begin = piece * Tile::width;
      __syncthreads();
      if (first == 0 || a.pieces > 1) load_rows<Tile, Tile::rows>(q, q_head, a.q, queries, begin, a.width, a.wide);
      load_rows<Tile, Tile::columns>(k, k_head, a.k, first, begin, a.width, a.wide);
      if (piece == 0) {
        load_rows<Tile, Tile::columns>(v, v_head, a.v, first, place.piece * Tile::width, a.width, a.wide);
      }
      __syncthreads();
      add_scores<Tile>(scores, q + row * Tile::pitch, k + lane * Tile::pitch, there(begin, Tile::width, a.width));
    }
#pragma unroll
    for (int i = 0; i < Tile::rows_each; ++i) {
      float top = largest[i];
#pragma unroll
      for (int j = 0; j < Tile::columns_each; ++j) {
        scores[i][j] = first + lane + 16 * j < keys ? scores[i][j] * a.scale : -INFINITY;
        top = fmaxf(top, scores[i][j]);  // a NaN gets into the sum below
      }
      top = over_group<Largest>(top);
      const float origin = top == -INFINITY ? 0.0F : top;
      const float shrink = expf(largest[i] - origin);
      largest[i] = top;
      total[i] *= shrink;
#pragma unroll
      for (int j = 0; j < Tile::results_each; ++j) results[i][j] *= shrink;
#pragma unroll
      for (int j = 0; j < Tile::columns_each; ++j) {
        scores[i][j] = expf(scores[i][j] - origin);
        total[i] += scores[i][j];
      }
    }
    share_scores<Tile>(p + row * Tile::score_pitch + lane, scores);
    add_weighted<Tile>(results, p + row * Tile::score_pitch, v + 4 * lane, there(first, Tile::columns, keys));
  }

#pragma unroll
  for (int i = 0; i < Tile::rows_each; ++i) {
    total[i] = over_group<Sum>(total[i]);
#pragma unroll
    for (int j = 0; j < Tile::results_each; ++j) results[i][j] /= total[i];
    const int64_t query = queries + row + i;
    if (a.log_sum_exp != nullptr && place.piece == 0 && lane == 0 && query < a.q.tokens) {
      a.log_sum_exp[(place.batch * a.heads + place.head) * a.q.tokens + query] = largest[i] + logf(total[i]);
    }
  }
  store_rows<Tile>(a.y, a.y.head(place.batch, column), queries + row, results, place.piece * Tile::width + 4 * lane,
                   a.width, a.wide);
}

template <class T, int width>
void run(const AttentionArguments& a) {
  with_tile<width, false>(a.q.tokens, a.k.tokens, [&](auto chosen) {
    using Tile = decltype(chosen);
    const int64_t pieces = (a.width + width - 1) / width, tiles = (a.q.tokens + Tile::rows - 1) / Tile::rows;
    const Forward<T> forward{HeadsOf<const T>(a.q),
                             HeadsOf<const T>(a.k),
                             HeadsOf<const T>(a.v),
                             HeadsOf<T>(a.y),
                             a.log_sum_exp.as<float>(),
                             a.heads,
                             a.width,
                             pieces,
                             tiles,
                             static_cast<float>(a.scale),
                             are_wide<T>(a.width, a.q, a.k, a.v, a.y)};
    constexpr size_t shared =
        sizeof(float) * ((Tile::rows + 2 * Tile::columns) * Tile::pitch + Tile::rows * Tile::score_pitch);
    launch_shared(&attend_tile<T, Tile>, static_cast<unsigned>(a.batch * a.heads * pieces * tiles), Tile::threads,
                  shared, forward);
  });
}

}  // namespace

void attend(const AttentionArguments& a) {
  with_float(a.dtype, "attention", [&](auto type) {
    using T = decltype(type);
    if (a.width <= 64) return run<T, 64>(a);
    run<T, 128>(a);
  });
}

}  // namespace astroclip::cuda
