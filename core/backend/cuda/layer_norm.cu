#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/sum_pairs.h"

namespace astroclip::cuda {

namespace {

template <class T>
struct LayerNorm {
  const float *x, *weight, *bias;
  float epsilon;
  T* y;
  float *mean, *inverse_deviation;  ///< optional

  /// The variance is that of centred values, where nothing cancels.
  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> in(x + row * width, width);
    float sum = 0.0f, squares = 0.0f;
    Rows::each(width, [&](int slot, int column) {
      const auto v = in(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) sum += v[i];
    });
    const float centre = Rows::template over<Sum>(sum) / static_cast<float>(width);
    Rows::each(width, [&](int slot, int column) {
      const auto v = in(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) squares += (v[i] - centre) * (v[i] - centre);
    });
    const float variance = Rows::template over<Sum>(squares) / static_cast<float>(width);
    const float factor = 1.0f / sqrtf(variance + epsilon);
    if (Rows::leads() && mean != nullptr) mean[row] = centre;
    if (Rows::leads() && inverse_deviation != nullptr) inverse_deviation[row] = factor;
    Rows::each(width, [&](int slot, int column) {
      auto v = in(slot, column);
      const auto w = load<Rows::vector>(weight + column), b = load<Rows::vector>(bias + column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) v[i] = (v[i] - centre) * factor * w[i] + b[i];
      store(y + row * width + column, v);
    });
  }
};

/// dx alone, a row at a time.
template <class T>
struct LayerNormBackward {
  const T* dy;
  const float *x, *weight, *mean, *inverse_deviation;
  const float* gathered;  ///< optional, may be dx
  float* dx;
  Bf16* rounded;  ///< optional

  template <int N>
  __device__ void write(int64_t at, const Floats<N>& flow) const {
    store(dx + at, flow);
    if (rounded != nullptr) store(rounded + at, flow);
  }

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<T> gradient(dy + row * width, width);
    const typename Rows::template Input<float> in(x + row * width, width);
    const float centre = mean[row], factor = inverse_deviation[row];
    float sum = 0.0f, weighted = 0.0f;
    Rows::each(width, [&](int slot, int column) {
      const auto g = gradient(slot, column), v = in(slot, column), w = load<Rows::vector>(weight + column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) {
        sum += g[i] * w[i];
        weighted += g[i] * w[i] * ((v[i] - centre) * factor);
      }
    });
    sum = Rows::template over<Sum>(sum) / static_cast<float>(width);
    weighted = Rows::template over<Sum>(weighted) / static_cast<float>(width);
    Rows::each(width, [&](int slot, int column) {
      auto g = gradient(slot, column);
      const auto v = in(slot, column), w = load<Rows::vector>(weight + column);
      const auto more =
          gathered == nullptr ? Floats<Rows::vector>{} : load<Rows::vector>(gathered + row * width + column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) {
        g[i] = factor * (g[i] * w[i] - sum - (v[i] - centre) * factor * weighted) + more[i];
      }
      write(row * width + column, g);
    });
  }
};

/// The share of the rows that belongs to a block.
struct RowRange {
  __device__ RowRange(int64_t rows, unsigned block, unsigned blocks)
      : first(rows * block / blocks), end(rows * (block + 1) / blocks) {}
  int64_t first, end;
};

/// partial [blocks, 2, width]: each block's share of dweight and dbias. A thread has one column.
template <class T>
__global__ void __launch_bounds__(128)
    layer_norm_parameters_kernel(LayerNormBackward<T> of, int64_t rows, int width, float* partial) {
  const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  if (column >= width) return;
  const RowRange range(rows, blockIdx.x, gridDim.x);
  float of_weight = 0.0f, of_bias = 0.0f;
#pragma unroll 4
  for (int64_t row = range.first; row < range.end; ++row) {
    const float g = to_float(of.dy[row * width + column]);
    of_weight += g * ((of.x[row * width + column] - of.mean[row]) * of.inverse_deviation[row]);
    of_bias += g;
  }
  float* to = partial + int64_t{blockIdx.x} * 2 * width + column;
  to[0] = of_weight;
  to[width] = of_bias;
}

constexpr int most_fused_width = 2048;

/// dx, and the block's share of dweight and dbias in partial [blocks, 2, width]. A thread has four columns, whose sums
/// stay in its registers, and the block takes four rows at a time, so that enough loads are under way.
template <class T>
__global__ void __launch_bounds__(most_fused_width / 4)
    layer_norm_backward_kernel(LayerNormBackward<T> of, int64_t rows, int width, float* partial) {
  constexpr int at_once = 4, most_warps = most_fused_width / 4 / 32;
  __shared__ Pack<float, 2 * at_once> of_warps[2][most_warps];
  const int column = static_cast<int>(threadIdx.x) * 4, warps = static_cast<int>(blockDim.x / 32);
  const bool inside = column < width;
  const Floats<4> w = inside ? load<4>(of.weight + column) : Floats<4>{};
  const float share = 1.0f / static_cast<float>(width);
  Floats<4> of_weight = {}, of_bias = {};
  const RowRange range(rows, blockIdx.x, gridDim.x);
  int turn = 0;  // the other half of the shared array may still be read
  for (int64_t row = range.first; row < range.end; row += at_once, turn ^= 1) {
    Floats<4> g[at_once], n[at_once], more[at_once];
    float centre[at_once], factor[at_once];
    // Every thread loads, beyond the end what is inside, for a branch would wait for each load.
    int64_t at[at_once];
#pragma unroll
    for (int r = 0; r < at_once; ++r) {
      const int64_t of_row = std::min(row + r, range.end - 1);
      at[r] = of_row * width + (inside ? column : 0);
      g[r] = load<4>(of.dy + at[r]);
      n[r] = load<4>(of.x + at[r]);
      more[r] = {};
      centre[r] = of.mean[of_row];
      factor[r] = of.inverse_deviation[of_row];
    }
    if (of.gathered != nullptr) {
#pragma unroll
      for (int r = 0; r < at_once; ++r) more[r] = load<4>(of.gathered + at[r]);
    }
    Floats<at_once> sum = {}, weighted = {};
#pragma unroll
    for (int r = 0; r < at_once; ++r) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (!inside || row + r >= range.end) g[r][i] = 0.0f;
        n[r][i] = (n[r][i] - centre[r]) * factor[r];
        of_weight[i] += g[r][i] * n[r][i];
        of_bias[i] += g[r][i];
        g[r][i] *= w[i];
        sum[r] += g[r][i];
        weighted[r] += g[r][i] * n[r][i];
      }
    }
#pragma unroll
    for (int r = 0; r < at_once; ++r) {
      sum[r] = over_warp<Sum>(sum[r]);
      weighted[r] = over_warp<Sum>(weighted[r]);
    }
    if (threadIdx.x % 32 == 0) {
      store(of_warps[turn][threadIdx.x / 32].at, sum);
      store(of_warps[turn][threadIdx.x / 32].at + at_once, weighted);
    }
    __syncthreads();
    sum = weighted = {};
    for (int warp = 0; warp < warps; ++warp) {
      const auto a = load<at_once>(of_warps[turn][warp].at), b = load<at_once>(of_warps[turn][warp].at + at_once);
#pragma unroll
      for (int r = 0; r < at_once; ++r) {
        sum[r] += a[r] * share;
        weighted[r] += b[r] * share;
      }
    }
#pragma unroll
    for (int r = 0; r < at_once; ++r) {
#pragma unroll
      for (int i = 0; i < 4; ++i) more[r][i] += factor[r] * (g[r][i] - sum[r] - n[r][i] * weighted[r]);
      if (row + r < range.end && inside) of.write(at[r], more[r]);
    }
  }
  if (!inside) return;
  float* to = partial + int64_t{blockIdx.x} * 2 * width + column;
  store(to, of_weight);
  store(to + width, of_bias);
}

template <class T>
void layer_norm_backward_of(const LayerNormBackwardArguments& a) {
  const int64_t width = a.x.shape[-1], rows = rows_of(a.x.shape);
  // Two blocks for each of an H100's processors where a row fills a block.
  const int64_t parts = std::clamp<int64_t>(rows / 4, 1, 264 * std::max<int64_t>(1, 1024 / width));
  const Scratch scratch(parts * 2 * width * size_of(DType::f32));
  float* const partial = scratch.as<float>();
  const auto blocks = static_cast<unsigned>(parts);
  const LayerNormBackward<T> of{a.dy.as<T>(),
                                a.x.as<float>(),
                                a.weight.as<float>(),
                                a.mean.as<float>(),
                                a.inverse_deviation.as<float>(),
                                a.gathered.as<float>(),
                                a.dx.as<float>(),
                                a.rounded.dtype == DType::bf16 ? a.rounded.as<Bf16>() : nullptr};
  const bool wide = aligned(of.dy, of.x, of.weight, of.gathered, of.dx, of.rounded);
  if (wide && width % 4 == 0 && width <= most_fused_width) {
    launch(&layer_norm_backward_kernel<T>, blocks, blocks_for(width, 128) * 32, of, rows, static_cast<int>(width),
           partial);
  } else {
    launch(&layer_norm_parameters_kernel<T>, dim3(blocks, blocks_for(width, 128)), 128, of, rows,
           static_cast<int>(width), partial);
    for_rows(rows, width, wide, of);
  }
  sum_pairs(partial, 1, parts, width, a.dweight.as<float>(), a.dbias.as<float>());
}

}  // namespace

void CudaBackend::layer_norm(const LayerNormArguments& a) {
  expect_f32(a.x, "layer_norm");
  const int64_t width = a.x.shape[-1], rows = rows_of(a.x.shape);
  const bool wide = aligned(a.x.data, a.weight.data, a.bias.data, a.y.data);
  with_float(a.y.dtype, "layer_norm", [&](auto kind) {
    using T = decltype(kind);
    const LayerNorm<T> body{a.x.as<float>(),
                            a.weight.as<float>(),
                            a.bias.as<float>(),
                            static_cast<float>(a.epsilon),
                            a.y.as<T>(),
                            a.mean.as<float>(),
                            a.inverse_deviation.as<float>()};
    if (wide && width == 1024) return launch_rows<WarpRows<32, 4, true>>(rows, width, body);
    if (wide && width == 768) return launch_rows<WarpRows<24, 4, true>>(rows, width, body);
    for_rows(rows, width, wide, body);
  });
}

void CudaBackend::layer_norm_backward(const LayerNormBackwardArguments& a) {
  expect_f32(a.x, "layer_norm_backward");
  if (a.x.shape[-1] == 0) return;
  with_float(a.dy.dtype, "layer_norm_backward", [&](auto kind) { layer_norm_backward_of<decltype(kind)>(a); });
  if (a.rounded && a.rounded.dtype != DType::bf16) cast(a.dx, a.rounded);
}

}  // namespace astroclip::cuda
