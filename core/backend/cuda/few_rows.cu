#include <algorithm>
#include <type_traits>

#include "backend/cuda/few_rows.h"
#include "backend/cuda/product_kernels.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int most_few = 16, threads = 256, warps = threads / 32;

/// Of each batch, a product of `count` few rows with x [rows, columns]. The batches lie one after another.
struct FewRows {
  const float* few;
  bool few_turned;  ///< [columns or rows of x, count] instead of [count, columns or rows of x]
  int count;
  const float* x;
  int64_t rows;
  int columns;
  float* y;
  bool y_turned;  ///< likewise
  float alpha;
  unsigned pieces;  ///< of the rows, each a block's
};

/// Blocks that a multiprocessor holds at once, and how many are enough for any card.
constexpr int blocks_at_once = 2;
constexpr int64_t enough_blocks = 256;

constexpr int together = 4;
/// Four columns of the few rows lie together in shared memory, one row after another and a gap that spreads banks.
constexpr int pitch_of_four(int few) { return few * 4 + 4; }

/// y[h, row] = alpha Σ_column few[h, column] x[row, column]. A warp takes `together` rows, so that it reads the few
/// rows from shared memory once for all of them.
template <int few>
__global__ void __launch_bounds__(threads, blocks_at_once) few_by_rows_kernel(FewRows a) {
  auto* shared = dynamic_shared<float>();
  const int64_t batch = blockIdx.x / a.pieces;
  const int piece = static_cast<int>(blockIdx.x % a.pieces);
  const int width = a.columns, size = a.count * width, thread = static_cast<int>(threadIdx.x);
  const float* from = a.few + batch * size;
  const auto place = [&](int h, int column) { return shared + column / 4 * pitch_of_four(few) + h * 4 + column % 4; };
  if (a.few_turned) {
#pragma unroll 8
    for (int i = thread; i < size; i += threads) *place(i % a.count, i / a.count) = from[i];
  } else {
#pragma unroll 8
    for (int i = thread * 4; i < size; i += threads * 4) store<4>(place(i / width, i % width), load<4>(from + i));
  }
  for (int i = size + thread; i < few * width; i += threads) *place(i / width, i % width) = 0.0F;
  __syncthreads();

  const int lane = thread % 32;
  const float* x = a.x + batch * a.rows * width;
  float* y = a.y + batch * a.rows * a.count;
  const int rows = static_cast<int>(a.rows), stride = static_cast<int>(a.pieces) * warps * together;
  for (int own = (piece * warps + thread / 32) * together; own < rows; own += stride) {
    const int row = std::min(own, rows - together);  // the last ones read rows of others, too
    const float* start = x + static_cast<int64_t>(row) * width;
    float sums[together * few] = {};
#pragma unroll few> 8 ? 1 : 2
    for (int column = lane * 4; column < width; column += 128) {
      const float* of_column = shared + column / 4 * pitch_of_four(few);
      Floats<4> values[together];
#pragma unroll
      for (int i = 0; i < together; ++i) values[i] = load<4>(start + i * width + column);
#pragma unroll
      for (int h = 0; h < few; ++h) {
        const Floats<4> factors = load<4>(of_column + h * 4);
#pragma unroll
        for (int i = 0; i < together; ++i) {
#pragma unroll
          for (int j = 0; j < 4; ++j) sums[i * few + h] += values[i][j] * factors[j];
        }
      }
    }
    sum_over_warp<together * few>(sums);
    constexpr int each = together * few / 32;
#pragma unroll
    for (int j = 0; j < each; ++j) {
      const int i = (lane * each + j) / few, h = (lane * each + j) % few;
      if (row + i < own || h >= a.count) continue;
      y[a.y_turned ? int64_t{row + i} * a.count + h : h * a.rows + row + i] = a.alpha * sums[j];
    }
  }
}

/// Blocks of 64 × 4 threads: 256 columns, and the rows in turns.
constexpr int groups = 4, tile = threads / groups * 4;

/// y[piece, batch, h, column] = alpha Σ_row few[h, row] x[row, column] over the rows of the piece.
template <int few>
__global__ void __launch_bounds__(threads, blocks_at_once) few_by_columns_kernel(FewRows a) {
  constexpr int segment = 192, pitch = few + 4, at_once = few > 8 ? 6 : 8;  // the pitch spreads rows over banks
  constexpr int floats = std::max(segment * pitch, groups / 2 * few * tile);
  __shared__ __align__(16) float shared[floats];
  const unsigned tiles = static_cast<unsigned>(a.columns + tile - 1) / tile, item = blockIdx.x / tiles;
  const int64_t batch = item / a.pieces, piece = item % a.pieces;
  const int own = static_cast<int>(threadIdx.x) * 4, group = static_cast<int>(threadIdx.y);
  const int column = static_cast<int>(blockIdx.x % tiles) * tile + own;
  const int thread = group * (threads / groups) + static_cast<int>(threadIdx.x);
  const int64_t length = (a.rows + a.pieces - 1) / a.pieces, end = std::min(a.rows, (piece + 1) * length);
  const float* factors = a.few + batch * a.rows * a.count;
  const float* x = a.x + batch * a.rows * a.columns + (column < a.columns ? column : 0);

  Floats<4> sums[few] = {};
  for (int64_t start = piece * length; start < end; start += segment) {
    const int count = static_cast<int>(std::min<int64_t>(segment, end - start));
    __syncthreads();  // the segment before may still be read
    for (int i = thread; i < count * few; i += threads) {
      const int h = a.few_turned ? i % few : i / count, row = a.few_turned ? i / few : i % count;
      float factor = 0.0F;
      if (h < a.count) factor = factors[a.few_turned ? (start + row) * a.count + h : h * a.rows + start + row];
      shared[row * pitch + h] = factor;
    }
    __syncthreads();
    const float* from = x + (start + group) * a.columns;
    const int step = groups * a.columns;
#pragma unroll 1
    for (int first = group; first < count; first += groups * at_once, from += at_once * step) {
      Floats<4> values[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        if (first + i * groups < count) values[i] = load<4>(from + i * step);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int row = first + i * groups;
        if (row >= count) break;
#pragma unroll
        for (int h = 0; h < few; h += 4) {
          const Floats<4> by = load<4>(shared + row * pitch + h);
#pragma unroll
          for (int k = 0; k < 4; ++k) {
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[h + k][j] += by[k] * values[i][j];
          }
        }
      }
    }
  }
#pragma unroll
  for (int left = groups / 2; left > 0; left /= 2) {
    __syncthreads();
    float* place = shared + group % left * few * tile + own;
    if (group >= left && group < 2 * left) {
#pragma unroll
      for (int h = 0; h < few; ++h) store<4>(place + h * tile, sums[h]);
    }
    __syncthreads();
    if (group >= left) continue;
#pragma unroll
    for (int h = 0; h < few; ++h) {
      const Floats<4> other = load<4>(place + h * tile);
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[h][j] += other[j];
    }
  }
  if (group > 0 || column >= a.columns) return;
  const unsigned batches = gridDim.x / (tiles * a.pieces);
  float* y = a.y + (piece * batches + batch) * a.count * a.columns;
#pragma unroll
  for (int h = 0; h < few; ++h) {
    if (h >= a.count) break;
#pragma unroll
    for (int j = 0; j < 4; ++j) sums[h][j] *= a.alpha;
    if (a.y_turned) {
#pragma unroll
      for (int j = 0; j < 4; ++j) y[static_cast<int64_t>(column + j) * a.count + h] = sums[h][j];
    } else {
      store<4>(y + static_cast<int64_t>(h) * a.columns + column, sums[h]);
    }
  }
}

template <int few>
void queue_by_rows(FewRows a, int64_t batch) {
  constexpr int64_t least = warps * together;  // rows that give each warp of a block some
  const int64_t pieces = std::clamp<int64_t>(enough_blocks / batch, 1, std::max<int64_t>(1, a.rows / least));
  a.pieces = static_cast<unsigned>(pieces);
  launch_shared(&few_by_rows_kernel<few>, static_cast<unsigned>(batch * pieces), threads,
                sizeof(float) * pitch_of_four(few) * static_cast<size_t>(a.columns / 4), a);
}

template <int few>
void queue_by_columns(FewRows a, int64_t batch) {
  constexpr int64_t least = 256, most = 4096;  // rows of a piece: sums of more would lose digits
  const int64_t tiles = blocks_for(a.columns, tile);
  const int64_t wanted = std::min(enough_blocks / (batch * tiles), a.rows / least);
  const int64_t pieces = std::max({int64_t{1}, wanted, (a.rows + most - 1) / most});
  a.pieces = static_cast<unsigned>(pieces);
  const auto queue = [&](float* y) {
    a.y = y;
    launch(&few_by_columns_kernel<few>, static_cast<unsigned>(batch * pieces * tiles), dim3(threads / groups, groups),
           a);
  };
  if (pieces == 1) return queue(a.y);
  float* y = a.y;
  const int64_t size = batch * a.count * a.columns;
  const Scratch parts(pieces * size * size_of(DType::f32));
  queue(parts.as<float>());
  sum_columns(parts.data(), DType::f32, pieces, size, y);
}

/// Calls body with the number of few rows that a kernel is made for.
template <class Body>
void with_few(int count, Body body) {
  if (count <= 8) return body(std::integral_constant<int, 8>{});
  body(std::integral_constant<int, most_few>{});
}

}  // namespace

bool try_few_rows(const ProductSpec& spec, const ProductOperands& operands) {
  constexpr int64_t least_size = 1 << 16, least_columns = 128, most_columns = 1 << 20, most_rows = 1 << 30;
  constexpr int64_t most_shared = (96 << 10) / sizeof(float);  // of a block
  const bool of_a = spec.m <= spec.n;                          // the few rows are a's
  const int64_t count = of_a ? spec.m : spec.n, many = of_a ? spec.n : spec.m;
  const bool by_rows = of_a ? spec.transpose_b : !spec.transpose_a;
  const int64_t rows = by_rows ? many : spec.k, columns = by_rows ? spec.k : many;
  if (count > most_few || spec.batch * rows * columns < least_size) return false;
  if (columns % 4 != 0 || columns < least_columns || columns > most_columns) return false;
  if (!aligned(operands.a, operands.b, operands.y)) return false;
  FewRows a = {};
  a.few = static_cast<const float*>(of_a ? operands.a : operands.b);
  a.few_turned = of_a ? spec.transpose_a : !spec.transpose_b;
  a.count = static_cast<int>(count);
  a.x = static_cast<const float*>(of_a ? operands.b : operands.a);
  a.rows = rows;
  a.columns = static_cast<int>(columns);
  a.y = static_cast<float*>(operands.y);
  a.y_turned = !of_a;
  a.alpha = operands.alpha;
  bool queued = true;
  with_few(a.count, [&](auto few) {
    if (!by_rows) return queue_by_columns<few>(a, spec.batch);
    queued = rows >= together && rows <= most_rows && pitch_of_four(few) * columns / 4 <= most_shared;
    if (queued) queue_by_rows<few>(a, spec.batch);
  });
  return queued;
}

}  // namespace astroclip::cuda
