#pragma once

#include <cuda_runtime.h>

/// Reductions over a warp or a block whose threads all take part. Every thread gets the result; the order of the terms
/// is fixed.
namespace astroclip::cuda {

inline constexpr int warp_threads = 32;

/// The larger number, or NaN if one is NaN, which fmaxf would drop.
__device__ inline float larger(float a, float b) { return b > a || b != b ? b : a; }

struct Sum {
  template <class T>
  __device__ static T of(T a, T b) {
    return a + b;
  }
};
struct Maximum {
  __device__ static float of(float a, float b) { return larger(a, b); }
};

template <class Operation, class T>
__device__ T warp_reduce(T x) {
#pragma unroll
  for (int step = warp_threads / 2; step > 0; step /= 2) {
    x = Operation::of(x, __shfl_xor_sync(0xFFFFFFFFU, x, step));
  }
  return x;
}

/// Over a block of `threads` threads in one dimension.
template <class Operation, int threads, class T>
__device__ T block_reduce(T x) {
  constexpr int warps = threads / warp_threads;
  __shared__ T parts[warps];
  x = warp_reduce<Operation>(x);
  __syncthreads();  // until an earlier call's parts have been read
  if (threadIdx.x % warp_threads == 0) parts[threadIdx.x / warp_threads] = x;
  __syncthreads();
  x = parts[0];
#pragma unroll
  for (int warp = 1; warp < warps; ++warp) x = Operation::of(x, parts[warp]);
  return x;
}

template <class T>
__device__ T warp_sum(T x) {
  return warp_reduce<Sum>(x);
}
template <int threads, class T>
__device__ T block_sum(T x) {
  return block_reduce<Sum, threads>(x);
}
__device__ inline float warp_maximum(float x) { return warp_reduce<Maximum>(x); }
template <int threads>
__device__ float block_maximum(float x) {
  return block_reduce<Maximum, threads>(x);
}

}  // namespace astroclip::cuda
