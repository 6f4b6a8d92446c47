#include "backend/cuda/sum_pairs.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

/// A block sums 32 columns, each in 32 shares of the parts.
__global__ void __launch_bounds__(1024)
    sum_pairs_kernel(const float* partial, int64_t parts, int64_t width, unsigned tiles, float* a, float* b) {
  __shared__ float sums[32][33];
  const int64_t group = blockIdx.x / tiles, first = int64_t{blockIdx.x % tiles} * 32;
  const unsigned column = threadIdx.x % 32, share = threadIdx.x / 32, pick = blockIdx.y;
  float sum = 0.0f;
  if (first + column < width) {
    const float* from = partial + (group * parts * 2 + pick) * width + first + column;
#pragma unroll 4
    for (int64_t part = share; part < parts; part += 32) sum += from[part * 2 * width];
  }
  sums[column][share] = sum;
  __syncthreads();
  sum = over_warp<Sum>(sums[share][column]);  // now of the column that was the share's number
  if (column == 0 && first + share < width) (pick == 0 ? a : b)[group * width + first + share] = sum;
}

}  // namespace

void sum_pairs(const float* partial, int64_t groups, int64_t parts, int64_t width, float* a, float* b) {
  const unsigned tiles = blocks_for(width, 32);
  launch(&sum_pairs_kernel, dim3(static_cast<unsigned>(groups) * tiles, 2), 1024, partial, parts, width, tiles, a, b);
}

}  // namespace astroclip::cuda
