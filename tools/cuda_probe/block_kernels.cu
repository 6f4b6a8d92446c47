#include "block_kernels.h"

namespace {

struct alignas(8) Four {  // bf16 values that travel together
  __nv_bfloat162 pair[2];
};
__device__ float4 widened(const Four& four) {
  const float2 a = __bfloat1622float2(four.pair[0]), b = __bfloat1622float2(four.pair[1]);
  return {a.x, a.y, b.x, b.y};
}
__device__ Four rounded_to_bf16(float4 v) {
  return {{__floats2bfloat162_rn(v.x, v.y), __floats2bfloat162_rn(v.z, v.w)}};
}
template <class T>
__device__ T& at(auto* base, int64_t index) {
  return *reinterpret_cast<T*>(base + index);
}

__device__ float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(0xFFFFFFFFU, x, step);
  return x;
}

__device__ int64_t row_in_batch(const Rows& rows, int64_t row) {
  return rows.samples == nullptr ? row : rows.samples[row / rows.tokens] * rows.tokens + row % rows.tokens;
}
__device__ float factor_of(const Rows& rows, int64_t row) {
  return rows.factors == nullptr ? 1.0F : rows.factors[row / rows.tokens];
}

/// One warp a row, whose numbers stay in its registers.
template <int kWidth>
__global__ void __launch_bounds__(256)
    layer_norm_kernel(const float* x, Rows rows, const float* weight, const float* bias, float* taken, bf16* y,
                      float* mean_out, float* inverse_out) {
  constexpr int parts = kWidth / 128;
  const int lane = threadIdx.x % 32;
  const int64_t row = blockIdx.x * int64_t{8} + threadIdx.x / 32;
  if (row >= rows.count) return;
  const int64_t from = row_in_batch(rows, row) * kWidth + lane * 4, to = row * kWidth + lane * 4;
  float4 v[parts];
  float sum = 0.0F, squares = 0.0F;
#pragma unroll
  for (int i = 0; i < parts; ++i) {
    v[i] = at<const float4>(x, from + i * 128);
    if (taken != nullptr) at<float4>(taken, to + i * 128) = v[i];
    sum += (v[i].x + v[i].y) + (v[i].z + v[i].w);
  }
  const float mean = warp_sum(sum) * (1.0F / kWidth);
#pragma unroll
  for (int i = 0; i < parts; ++i) {
    v[i] = {v[i].x - mean, v[i].y - mean, v[i].z - mean, v[i].w - mean};
    squares += (v[i].x * v[i].x + v[i].y * v[i].y) + (v[i].z * v[i].z + v[i].w * v[i].w);
  }
  const float inverse = rsqrtf(warp_sum(squares) * (1.0F / kWidth) + 1e-6F);
  if (lane == 0) {
    mean_out[row] = mean;
    inverse_out[row] = inverse;
  }
#pragma unroll
  for (int i = 0; i < parts; ++i) {
    const int c = lane * 4 + i * 128;
    const float4 w = at<const float4>(weight, c), b = at<const float4>(bias, c);
    at<Four>(y, to + i * 128) = rounded_to_bf16({fmaf(v[i].x * inverse, w.x, b.x), fmaf(v[i].y * inverse, w.y, b.y),
                                                 fmaf(v[i].z * inverse, w.z, b.z), fmaf(v[i].w * inverse, w.w, b.w)});
  }
}

template <int kWidth>
__global__ void __launch_bounds__(256)
    layer_norm_backward_kernel(const bf16* dy, const float* x, Rows rows, const float* weight, const float* mean,
                               const float* inverse, float* dx, bf16* rounded, float* partial_weight,
                               float* partial_bias) {
  constexpr int parts = kWidth / 128;
  __shared__ float shared[2][kWidth];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float4 dw[parts] = {}, db[parts] = {};
  for (int64_t row = blockIdx.x * int64_t{8} + warp; row < rows.count; row += gridDim.x * int64_t{8}) {
    const int64_t from = row * kWidth + lane * 4, to = row_in_batch(rows, row) * kWidth + lane * 4;
    const float m = mean[row], s = inverse[row];
    float4 g[parts], n[parts];
    float sum = 0.0F, dot = 0.0F;
#pragma unroll
    for (int i = 0; i < parts; ++i) {
      const float4 v = at<const float4>(x, from + i * 128), d = widened(at<const Four>(dy, from + i * 128)),
                   w = at<const float4>(weight, lane * 4 + i * 128);
      n[i] = {(v.x - m) * s, (v.y - m) * s, (v.z - m) * s, (v.w - m) * s};
      dw[i] = {fmaf(d.x, n[i].x, dw[i].x), fmaf(d.y, n[i].y, dw[i].y), fmaf(d.z, n[i].z, dw[i].z),
               fmaf(d.w, n[i].w, dw[i].w)};
      db[i] = {db[i].x + d.x, db[i].y + d.y, db[i].z + d.z, db[i].w + d.w};
      g[i] = {d.x * w.x, d.y * w.y, d.z * w.z, d.w * w.w};
      sum += (g[i].x + g[i].y) + (g[i].z + g[i].w);
      dot += (g[i].x * n[i].x + g[i].y * n[i].y) + (g[i].z * n[i].z + g[i].w * n[i].w);
    }
    sum = warp_sum(sum) * (1.0F / kWidth);
    dot = warp_sum(dot) * (1.0F / kWidth);
#pragma unroll
    for (int i = 0; i < parts; ++i) {
      float4& r = at<float4>(dx, to + i * 128);
      r = {fmaf(s, g[i].x - sum - n[i].x * dot, r.x), fmaf(s, g[i].y - sum - n[i].y * dot, r.y),
           fmaf(s, g[i].z - sum - n[i].z * dot, r.z), fmaf(s, g[i].w - sum - n[i].w * dot, r.w)};
      if (rounded != nullptr) at<Four>(rounded, to + i * 128) = rounded_to_bf16(r);
    }
  }
  // The eight warps one after another: a fixed order of additions.
  for (int turn = 0; turn < 8; ++turn) {
    if (warp == turn) {
#pragma unroll
      for (int i = 0; i < parts; ++i) {
        const int c = lane * 4 + i * 128;
        float4 &a = at<float4>(shared[0], c), &b = at<float4>(shared[1], c);
        const float4 of_a = turn == 0 ? float4{} : a, of_b = turn == 0 ? float4{} : b;
        a = {of_a.x + dw[i].x, of_a.y + dw[i].y, of_a.z + dw[i].z, of_a.w + dw[i].w};
        b = {of_b.x + db[i].x, of_b.y + db[i].y, of_b.z + db[i].z, of_b.w + db[i].w};
      }
    }
    __syncthreads();
  }
  for (int c = threadIdx.x; c < kWidth; c += blockDim.x) {
    partial_weight[blockIdx.x * kWidth + c] = shared[0][c];
    partial_bias[blockIdx.x * kWidth + c] = shared[1][c];
  }
}

/// A block sums 32 columns, each in eight parts whose order is fixed.
__global__ void __launch_bounds__(256) finish_sums_kernel(const float* partial, int rows, int width, float* sums) {
  __shared__ float shared[8][32];
  const int column = threadIdx.x % 32, part = threadIdx.x / 32, c = blockIdx.x * 32 + column;
  float sum = 0.0F;
  for (int r = part; r < rows; r += 8) sum += partial[r * width + c];
  shared[part][column] = sum;
  __syncthreads();
  if (part != 0) return;
  for (int p = 1; p < 8; ++p) sum += shared[p][column];
  sums[c] = sum;
}
/// A block has a share of the rows and 512 columns, four to a thread.
__global__ void __launch_bounds__(128) column_sums_kernel(const bf16* x, int64_t rows, int width, float* partial) {
  const int c = (blockIdx.y * 128 + threadIdx.x) * 4;
  if (c >= width) return;
  float4 sum = {};
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float4 v = widened(at<const Four>(x, row * width + c));
    sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w};
  }
  at<float4>(partial, static_cast<int64_t>(blockIdx.x) * width + c) = sum;
}

__global__ void add_branch_kernel(float* x, Rows rows, int width, const bf16* branch) {
  const int64_t i = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * 4, row = i / width;
  if (row >= rows.count) return;
  const float factor = factor_of(rows, row);
  const float4 b = widened(at<const Four>(branch, i));
  float4& v = at<float4>(x, row_in_batch(rows, row) * width + i % width);
  v = {fmaf(factor, b.x, v.x), fmaf(factor, b.y, v.y), fmaf(factor, b.z, v.z), fmaf(factor, b.w, v.w)};
}
__global__ void take_branch_kernel(const float* dx, Rows rows, int width, bf16* dy) {
  const int64_t i = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * 4, row = i / width;
  if (row >= rows.count) return;
  const float factor = factor_of(rows, row);
  const float4 v = at<const float4>(dx, row_in_batch(rows, row) * width + i % width);
  at<Four>(dy, i) = rounded_to_bf16({factor * v.x, factor * v.y, factor * v.z, factor * v.w});
}

/// erf within 1.5e-7 (Abramowitz and Stegun 7.1.26).
__device__ float erf_short(float x) {
  const float t = __fdividef(1.0F, fmaf(0.3275911F, fabsf(x), 1.0F));
  float p = fmaf(1.061405429F, t, -1.453152027F);
  p = fmaf(p, t, 1.421413741F);
  p = fmaf(p, t, -0.284496736F);
  p = fmaf(p, t, 0.254829592F);
  return copysignf(fmaf(-p * t, __expf(-x * x), 1.0F), x);
}
__device__ float half_of_erf(float x) { return 0.5F * (1.0F + erf_short(x * 0.70710678F)); }
__device__ float gelu_slope(float x) { return fmaf(x * 0.39894228F, __expf(-0.5F * x * x), half_of_erf(x)); }

__global__ void gelu_kernel(const bf16* x, bf16* y, int64_t count) {
  const int64_t i = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * 4;
  if (i >= count) return;
  const float4 v = widened(at<const Four>(x, i));
  at<Four>(y, i) =
      rounded_to_bf16({v.x * half_of_erf(v.x), v.y * half_of_erf(v.y), v.z * half_of_erf(v.z), v.w * half_of_erf(v.w)});
}
__global__ void gelu_backward_kernel(const bf16* x, const bf16* dy, bf16* dx, int64_t count) {
  const int64_t i = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * 4;
  if (i >= count) return;
  const float4 v = widened(at<const Four>(x, i)), d = widened(at<const Four>(dy, i));
  at<Four>(dx, i) =
      rounded_to_bf16({d.x * gelu_slope(v.x), d.y * gelu_slope(v.y), d.z * gelu_slope(v.z), d.w * gelu_slope(v.w)});
}

__global__ void adamw_kernel(float* p, const float* gradient, float* first, float* second, bf16* copy, int64_t count,
                             float rate) {
  const int64_t i = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * 4;
  if (i >= count) return;
  float4 w = at<const float4>(p, i), m = at<const float4>(first, i), v = at<const float4>(second, i);
  const float4 g = at<const float4>(gradient, i);
  const auto step = [&](float& value, float& mean, float& square, float slope) {
    mean = fmaf(0.9F, mean, 0.1F * slope);
    square = fmaf(0.95F, square, 0.05F * slope * slope);
    value = value * (1.0F - rate * 0.05F) - rate * mean / (sqrtf(square) + 1e-8F);
  };
  step(w.x, m.x, v.x, g.x);
  step(w.y, m.y, v.y, g.y);
  step(w.z, m.z, v.z, g.z);
  step(w.w, m.w, v.w, g.w);
  at<float4>(p, i) = w;
  at<float4>(first, i) = m;
  at<float4>(second, i) = v;
  at<Four>(copy, i) = rounded_to_bf16(w);
}

unsigned blocks_for(int64_t count) { return static_cast<unsigned>((count / 4 + 255) / 256); }

/// Calls `launch` with the width as a constant.
template <class Launch>
void with_width(int width, const Launch& launch) {
  if (width == 768)
    launch(std::integral_constant<int, 768>());
  else if (width == 1024)
    launch(std::integral_constant<int, 1024>());
  else
    throw std::runtime_error("layer norms are made for widths of 768 and 1,024");
  check(cudaGetLastError());
}

}  // namespace

void layer_norm(const float* x, const Rows& rows, int width, const float* weight, const float* bias, float* taken,
                bf16* y, float* mean, float* inverse, cudaStream_t stream) {
  with_width(width, [&](auto w) {
    layer_norm_kernel<w()><<<static_cast<unsigned>((rows.count + 7) / 8), 256, 0, stream>>>(x, rows, weight, bias,
                                                                                            taken, y, mean, inverse);
  });
}

void layer_norm_backward(const bf16* dy, const float* x, const Rows& rows, int width, const float* weight,
                         const float* mean, const float* inverse, float* dx, bf16* rounded, float* partial,
                         float* dweight, float* dbias, cudaStream_t stream) {
  float* partial_bias = partial + static_cast<int64_t>(norm_blocks) * width;
  with_width(width, [&](auto w) {
    layer_norm_backward_kernel<w()>
        <<<norm_blocks, 256, 0, stream>>>(dy, x, rows, weight, mean, inverse, dx, rounded, partial, partial_bias);
  });
  finish_sums_kernel<<<width / 32, 256, 0, stream>>>(partial, norm_blocks, width, dweight);
  finish_sums_kernel<<<width / 32, 256, 0, stream>>>(partial_bias, norm_blocks, width, dbias);
  check(cudaGetLastError());
}

void add_branch(float* x, const Rows& rows, int width, const bf16* branch, cudaStream_t stream) {
  add_branch_kernel<<<blocks_for(rows.count * width), 256, 0, stream>>>(x, rows, width, branch);
  check(cudaGetLastError());
}
void take_branch(const float* dx, const Rows& rows, int width, bf16* dy, cudaStream_t stream) {
  take_branch_kernel<<<blocks_for(rows.count * width), 256, 0, stream>>>(dx, rows, width, dy);
  check(cudaGetLastError());
}

void gelu(const bf16* x, bf16* y, int64_t count, cudaStream_t stream) {
  gelu_kernel<<<blocks_for(count), 256, 0, stream>>>(x, y, count);
  check(cudaGetLastError());
}
void gelu_backward(const bf16* x, const bf16* dy, bf16* dx, int64_t count, cudaStream_t stream) {
  gelu_backward_kernel<<<blocks_for(count), 256, 0, stream>>>(x, dy, dx, count);
  check(cudaGetLastError());
}

void column_sums(const bf16* x, int64_t rows, int64_t width, float* partial, float* sums, cudaStream_t stream) {
  const auto w = static_cast<int>(width);  // a multiple of 32, as all are here
  column_sums_kernel<<<dim3(norm_blocks, static_cast<unsigned>((w + 511) / 512)), 128, 0, stream>>>(x, rows, w,
                                                                                                    partial);
  finish_sums_kernel<<<w / 32, 256, 0, stream>>>(partial, norm_blocks, w, sums);
  check(cudaGetLastError());
}

void adamw(float* p, const float* gradient, float* first, float* second, bf16* copy, int64_t count, float rate,
           cudaStream_t stream) {
  adamw_kernel<<<blocks_for(count), 256, 0, stream>>>(p, gradient, first, second, copy, count, rate);
  check(cudaGetLastError());
}
