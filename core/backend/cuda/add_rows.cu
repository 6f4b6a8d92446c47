#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/reduce.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int row_threads = 256, row_warps = row_threads / 32;

/// Weights of N elements from `column` of a line.
template <int N>
__device__ Floats<N> weights(const float* scale, float factor, int64_t column) {
  Floats<N> all;
  if (scale != nullptr) {
    all = load<N>(scale + column);
#pragma unroll
    for (int i = 0; i < N; ++i) all[i] *= factor;
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) all[i] = factor;
  }
  return all;
}

template <int N>
__device__ void add_weighted(Floats<N>& sum, const Floats<N>& y, const Floats<N>& weight) {
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = fmaf(y[i], weight[i], sum[i]);
}

/// sum = x + factor · scale · y, lines of `width` elements.
struct AddAll {
  const float *x, *y, *scale;
  float factor;
  float* sum;
  int64_t width;
  template <int N>
  __device__ void run(int64_t at) const {
    Floats<N> total = load<N>(x + at);
    add_weighted(total, load<N>(y + at), weights<N>(scale, factor, at % width));
    store(sum + at, total);
  }
};

/// sum [rows, of_row] = x, with the `count` rows of y added where the index says; sum may be x.
template <class T>
struct AddIndexed {
  const T *x, *y;
  const float* scale;
  const int64_t* index;
  int64_t count, rows, of_row, width;
  float factor;
  T* sum;
};

/// A warp finds which rows of y belong to its row of x, and adds them in their order.
template <int N, class T>
__global__ void __launch_bounds__(row_threads) add_indexed(AddIndexed<T> a) {
  constexpr int parts = 4, stride = 32 * N;
  const int64_t chunks = (a.of_row + parts * stride - 1) / (parts * stride), unit = thread_of_grid() / 32;
  const int64_t row = unit / chunks;
  if (row >= a.rows) return;
  const int lane = threadIdx.x % 32;
  const int64_t begin = unit % chunks * (parts * stride) + lane * N;
  Floats<N> total[parts], weight[parts];
  const auto inside = [&](int part) { return begin + part * stride < a.of_row; };
  const auto load_x = [&] {
#pragma unroll
    for (int part = 0; part < parts; ++part) {
      if (!inside(part)) continue;
      total[part] = load<N>(a.x + row * a.of_row + begin + part * stride);
      weight[part] = weights<N>(a.scale, a.factor, (begin + part * stride) % a.width);
    }
  };
  bool loaded = a.sum != a.x;
  if (loaded) load_x();
  for (int64_t first = 0; first < a.count; first += 32) {
    unsigned here = __ballot_sync(0xFFFFFFFFu, first + lane < a.count && a.index[first + lane] == row);
    for (int64_t place = first; here != 0; here >>= 1, ++place) {
      if ((here & 1) == 0) continue;
      if (!loaded) load_x();
      loaded = true;
#pragma unroll
      for (int part = 0; part < parts; ++part) {
        if (!inside(part)) continue;
        add_weighted(total[part], load<N>(a.y + place * a.of_row + begin + part * stride), weight[part]);
      }
    }
  }
  if (!loaded) return;
#pragma unroll
  for (int part = 0; part < parts; ++part) {
    if (inside(part)) store(a.sum + row * a.of_row + begin + part * stride, total[part]);
  }
}

template <class T>
void add_where_indexed(const AddIndexed<T>& a) {
  if (a.rows * a.of_row == 0) return;
  const auto queue = [&](auto kernel, int64_t of_warp) {
    const int64_t chunks = (a.of_row + of_warp - 1) / of_warp;
    launch(kernel, blocks_for(a.rows * chunks, row_warps), row_threads, a);
  };
  if (aligned(a.x, a.y, a.scale, a.sum) && a.width % 4 == 0) {
    queue(&add_indexed<4, T>, 512);
  } else {
    queue(&add_indexed<1, T>, 128);
  }
}

/// dy = factor · dsum, its rows those that the index names.
struct TakeRows {
  const float* dsum;
  const int64_t* index;
  int64_t of_row;
  float factor;
  float* dy;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t row = at / of_row, from = index == nullptr ? at : at + (index[row] - row) * of_row;
    Floats<N> gradient = load<N>(dsum + from);
#pragma unroll
    for (int i = 0; i < N; ++i) gradient[i] *= factor;
    store(dy + at, gradient);
  }
};

struct ScaledBackward {
  const float *dsum, *y, *scale;
  const int64_t* index;
  int64_t lines, of_row, width;  ///< of_row in lines
  float factor;
  float *dy, *partial;
  Pieces pieces;
};

/// dy, and in `partial` [pieces, width] each piece's share of dscale. A block takes 32 · N columns of a piece, each of
/// its warps every eighth line.
template <int N>
__global__ void __launch_bounds__(row_threads) scaled_backward(ScaledBackward a) {
  __shared__ float shares[row_warps][32 * N];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t groups = (a.width + 32 * N - 1) / (32 * N), piece = blockIdx.x / groups;
  const int64_t column = blockIdx.x % groups * (32 * N) + lane * N;
  const bool inside = column < a.width;
  Floats<N> share = {};
  if (inside) {
    const Floats<N> scale = load<N>(a.scale + column);
    const int64_t end = std::min<int64_t>(a.lines, (piece + 1) * a.pieces.length);
#pragma unroll 4
    for (int64_t line = piece * a.pieces.length + warp; line < end; line += row_warps) {
      const int64_t row = line / a.of_row, from = a.index == nullptr ? line : line + (a.index[row] - row) * a.of_row;
      Floats<N> gradient = load<N>(a.dsum + from * a.width + column);
      const Floats<N> y = load<N>(a.y + line * a.width + column);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        gradient[i] *= a.factor;
        share[i] = fmaf(gradient[i], y[i], share[i]);
        gradient[i] *= scale[i];
      }
      store(a.dy + line * a.width + column, gradient);
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) shares[warp][i * 32 + lane] = share[i];
  __syncthreads();
  if (warp > 0 || !inside) return;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    for (int other = 1; other < row_warps; ++other) share[i] += shares[other][i * 32 + lane];
  }
  store(a.partial + piece * a.width + column, share);
}

}  // namespace

void CudaBackend::scatter_add_rows(ConstView dy, ConstView index, View dx) {
  if (dy.numel() == 0) return;
  const int64_t count = index.numel(), width = dy.numel() / count;
  with_float(dy.dtype, "scatter_add_rows", [&](auto number) {
    using T = decltype(number);
    add_where_indexed<T>({dx.as<T>(), dy.as<T>(), nullptr, index.as<int64_t>(), count, dx.numel() / width, width, width,
                          1.0f, dx.as<T>()});
  });
}

void CudaBackend::add_rows(const AddRowsArguments& a) {
  expect_f32(a.x, "add_rows");
  if (a.x.numel() == 0) return;
  const auto factor = static_cast<float>(a.factor);
  const auto *x = a.x.as<float>(), *y = a.y.as<float>(), *scale = a.scale.as<float>();
  auto* sum = a.sum.as<float>();
  const int64_t width = a.x.shape[-1], rows = a.x.shape[0];
  if (a.index) {
    add_where_indexed<float>(
        {x, y, scale, a.index.as<int64_t>(), a.index.numel(), rows, a.x.numel() / rows, width, factor, sum});
  } else {
    for_elements<4>(a.x.numel(), aligned(x, y, scale, sum) && width % 4 == 0, AddAll{x, y, scale, factor, sum, width});
  }
}

void CudaBackend::add_rows_backward(const AddRowsBackwardArguments& a) {
  expect_f32(a.dsum, "add_rows_backward");
  if (a.dy.numel() == 0) {
    if (a.dscale) fill(a.dscale, 0.0);
    return;
  }
  const auto factor = static_cast<float>(a.factor);
  const auto *dsum = a.dsum.as<float>(), *y = a.y.as<float>(), *scale = a.scale.as<float>();
  const auto* index = a.index.as<int64_t>();
  auto* dy = a.dy.as<float>();
  const int64_t width = a.dy.shape[-1], of_row = a.dy.numel() / a.dy.shape[0];
  if (!a.scale) {
    const bool wide = aligned(dsum, dy) && (of_row % 4 == 0 || index == nullptr);
    return for_elements<4>(a.dy.numel(), wide, TakeRows{dsum, index, of_row, factor, dy});
  }
  const bool wide = aligned(dsum, y, scale, dy) && width % 4 == 0;
  const int64_t lines = a.dy.numel() / width, groups = (width + (wide ? 127 : 31)) / (wide ? 128 : 32);
  const Pieces pieces = pieces_of(lines, 8 * row_warps, groups);
  const Scratch partial(pieces.count * width * static_cast<int64_t>(sizeof(float)));
  launch(wide ? &scaled_backward<4> : &scaled_backward<1>, static_cast<unsigned>(groups * pieces.count), row_threads,
         ScaledBackward{dsum, y, scale, index, lines, of_row / width, width, factor, dy, partial.as<float>(), pieces});
  sum_columns({partial.data(), {pieces.count, width}, DType::f32}, pieces.count, width, a.dscale.as<float>());
}

}  // namespace astroclip::cuda
