#include <algorithm>
#include <limits>
#include <memory>

#include "backend/axes_internal.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/reduce.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int fold_threads = 256, fold_warps = fold_threads / 32;

/// y [outer, pieces, inner] = each piece of x [outer, middle, inner] folded. A block takes one piece of 32 · N columns,
/// each of its warps every eighth row.
template <class Op, int N, class T, class Result>
__global__ void __launch_bounds__(fold_threads)
    fold_columns(const T* x, int64_t middle, int64_t inner, Pieces pieces, Result* y) {
  __shared__ double folded[fold_warps][32 * N];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t groups = (inner + 32 * N - 1) / (32 * N);
  const int64_t column = blockIdx.x % groups * (32 * N) + lane * N;
  const int64_t piece = blockIdx.x / groups % pieces.count, slice = blockIdx.x / groups / pieces.count;
  double total[N];
#pragma unroll
  for (int i = 0; i < N; ++i) total[i] = Op::template start<double>();
  if (column < inner) {
    const T* from = x + slice * middle * inner + column;
    const int64_t end = std::min<int64_t>(middle, (piece + 1) * pieces.length);
#pragma unroll 4
    for (int64_t row = piece * pieces.length + warp; row < end; row += fold_warps) {
      const Floats<N> values = load<N>(from + row * inner);
#pragma unroll
      for (int i = 0; i < N; ++i) total[i] = Op::of(total[i], static_cast<double>(values[i]));
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) folded[warp][i * 32 + lane] = total[i];
  __syncthreads();
  if (warp > 0 || column >= inner) return;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    for (int other = 1; other < fold_warps; ++other) total[i] = Op::of(total[i], folded[other][i * 32 + lane]);
    y[(slice * pieces.count + piece) * inner + column + i] = static_cast<Result>(total[i]);
  }
}

/// y [runs, pieces] = each piece of x [runs, length] folded by `threads` threads, 32 or all of the block.
template <class Op, int threads, int N, class Result>
__global__ void __launch_bounds__(fold_threads)
    fold_runs(const float* x, int64_t runs, int64_t length, Pieces pieces, Result* y) {
  const int64_t unit = thread_of_grid() / threads, run = unit / pieces.count, piece = unit % pieces.count;
  double total = Op::template start<double>();
  if (run < runs) {
    const float* from = x + run * length;
    const int64_t end = std::min<int64_t>(length, (piece + 1) * pieces.length);
#pragma unroll 4
    for (int64_t i = piece * pieces.length + threadIdx.x % threads * N; i < end; i += threads * N) {
      const Floats<N> values = load<N>(from + i);
#pragma unroll
      for (int k = 0; k < N; ++k) total = Op::of(total, static_cast<double>(values[k]));
    }
  }
  total = threads == 32 ? over_warp<Op>(total) : over_block<Op>(total);
  if (run < runs && threadIdx.x % threads == 0) y[unit] = static_cast<Result>(total);
}

/// y [outer, inner] = the pieces [outer, count, inner] folded by a warp each.
template <class Op>
__global__ void __launch_bounds__(fold_threads)
    fold_pieces(const double* pieces, int64_t count, int64_t inner, int64_t size, float* y) {
  const int64_t at = thread_of_grid() / 32;
  if (at >= size) return;
  const double* from = pieces + at / inner * count * inner + at % inner;
  double total = Op::template start<double>();
  for (int64_t k = threadIdx.x % 32; k < count; k += 32) total = Op::of(total, from[k * inner]);
  total = over_warp<Op>(total);
  if (threadIdx.x % 32 == 0) y[at] = static_cast<float>(total);
}

/// Calls fold(result) to fold each piece: into y if there is one, otherwise into scratch, which is then folded into y.
template <class Op, class FoldEach>
void fold_by_pieces(const Pieces& pieces, int64_t inner, int64_t size, float* y, FoldEach fold) {
  if (pieces.count == 1) return fold(y);
  const Scratch partial(size * pieces.count * static_cast<int64_t>(sizeof(double)));
  fold(partial.as<double>());
  launch(&fold_pieces<Op>, blocks_for(size, fold_warps), fold_threads, partial.as<double>(), pieces.count, inner, size,
         y);
}

template <class Op, int N, class T>
void queue_fold_columns(const T* x, const Fold& fold, float* y) {
  const int64_t groups = (fold.inner + 32 * N - 1) / (32 * N) * fold.outer;
  const Pieces pieces = pieces_of(fold.middle, 8 * fold_warps, groups);
  fold_by_pieces<Op>(pieces, fold.inner, fold.outer * fold.inner, y, [&]<class Result>(Result* result) {
    launch(&fold_columns<Op, N, T, Result>, static_cast<unsigned>(groups * pieces.count), fold_threads, x, fold.middle,
           fold.inner, pieces, result);
  });
}

template <class Op, int threads, int N>
void queue_fold_runs(const float* x, const Fold& fold, float* y) {
  constexpr int64_t runs_of_block = fold_threads / threads;
  const Pieces pieces = pieces_of(fold.middle, 4096, std::max<int64_t>(1, fold.outer / runs_of_block));
  fold_by_pieces<Op>(pieces, 1, fold.outer, y, [&]<class Result>(Result* result) {
    launch(&fold_runs<Op, threads, N, Result>, blocks_for(fold.outer * pieces.count, runs_of_block), fold_threads, x,
           fold.outer, fold.middle, pieces, result);
  });
}

template <class Op>
void queue_fold(const float* x, const Fold& fold, float* y) {
  const bool wide = aligned(x) && (fold.inner == 1 ? fold.middle : fold.inner) % 4 == 0;
  constexpr int64_t short_run = 1024;
  if (fold.inner > 1) {
    (wide ? &queue_fold_columns<Op, 4, float> : &queue_fold_columns<Op, 1, float>)(x, fold, y);
  } else if (fold.middle <= short_run) {
    (wide ? &queue_fold_runs<Op, 32, 4> : &queue_fold_runs<Op, 32, 1>)(x, fold, y);
  } else {
    (wide ? &queue_fold_runs<Op, fold_threads, 4> : &queue_fold_runs<Op, fold_threads, 1>)(x, fold, y);
  }
}

}  // namespace

Pieces pieces_of(int64_t middle, int64_t least, int64_t blocks) {
  constexpr int64_t most = 256, enough = 1024;  // of one array; of all blocks, to keep the card's memory busy
  const int64_t wanted = std::clamp<int64_t>(enough / blocks, 1, most);
  const int64_t even = ((middle + wanted - 1) / wanted + 3) / 4 * 4, length = std::max(least, even);
  return {length, (middle + length - 1) / length};
}

void sum_columns(ConstView x, int64_t rows, int64_t width, float* y) {
  const Fold fold = {1, rows, width};
  with_float(x.dtype, "sum_columns", [&]<class T>(T) {
    constexpr int wide = 16 / sizeof(T);
    const T* from = x.as<T>();
    (aligned(from) && width % wide == 0 ? &queue_fold_columns<Sum, wide, T> : &queue_fold_columns<Sum, 1, T>)(from,
                                                                                                              fold, y);
  });
}

void CudaBackend::reduce(ReduceOp op, ConstView x, View y) {
  expect_f32(x, "reduce");
  if (x.numel() == 0) return fill(y, op == ReduceOp::sum ? 0.0 : -std::numeric_limits<double>::infinity());
  const std::vector<Fold> folds = plan_folds(x.shape, y.shape);
  if (folds.empty()) return cast(x, y);
  const float* source = x.as<float>();
  std::unique_ptr<Scratch> held;
  for (const Fold& fold : folds) {
    const bool last = &fold == &folds.back();
    auto next =
        last ? nullptr : std::make_unique<Scratch>(fold.outer * fold.inner * static_cast<int64_t>(sizeof(float)));
    float* result = last ? y.as<float>() : next->as<float>();
    (op == ReduceOp::sum ? &queue_fold<Sum> : &queue_fold<Largest>)(source, fold, result);
    source = result;
    held = std::move(next);
  }
}

}  // namespace astroclip::cuda
