#include "checked.h"
#include "softmax.h"

namespace {

constexpr int most_per_lane = 32;  // rows of at most 1,024 stay in registers

/// One warp a row.
__global__ void softmax_kernel(float* x, int64_t rows, int width) {
  const int lane = threadIdx.x % 32;
  const int64_t row = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) / 32;
  if (row >= rows) return;
  float* at = x + row * width;
  float v[most_per_lane], largest = -INFINITY, sum = 0.0F;
#pragma unroll
  for (int i = 0; i < most_per_lane; ++i) {
    const int c = i * 32 + lane;
    v[i] = c < width ? at[c] : -INFINITY;
    largest = fmaxf(largest, v[i]);
  }
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, step));
#pragma unroll
  for (int i = 0; i < most_per_lane; ++i) {
    v[i] = __expf(v[i] - largest);
    sum += v[i];
  }
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) sum += __shfl_xor_sync(0xFFFFFFFFU, sum, step);
  const float inverse = 1.0F / sum;
#pragma unroll
  for (int i = 0; i < most_per_lane; ++i) {
    const int c = i * 32 + lane;
    if (c < width) at[c] = v[i] * inverse;
  }
}

}  // namespace

void softmax(float* x, int64_t rows, int64_t width, cudaStream_t stream) {
  if (width > 32 * most_per_lane) throw std::runtime_error("softmax: rows of at most 1,024");
  softmax_kernel<<<static_cast<unsigned>((rows + 7) / 8), 256, 0, stream>>>(x, rows, static_cast<int>(width));
  check(cudaGetLastError());
}
