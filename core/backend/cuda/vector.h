#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "backend/backend.h"
#include "backend/cuda/launch.h"
#include "base/error.h"

/// What memory-bound kernels share: float32 and bf16 read and written many at a time as float32, sums and maxima over
/// the threads of a warp or block in a fixed order, and the choice of a kernel by dtype.
namespace astroclip::cuda {

using Bf16 = __nv_bfloat16;

/// Throws Error unless the operand of `op` is float32.
inline void expect_f32(ConstView x, const char* op) {
  if (x.dtype == DType::f32) return;
  throw Error(std::string("[cuda] ") + op + " takes f32, not " + std::string(name_of(x.dtype)));
}

/// Calls body with a value of the type on the card, float or Bf16. Throws Error for another dtype.
template <class Body>
void with_float(DType dtype, const char* op, Body body) {
  if (dtype == DType::f32) return body(float{});
  if (dtype == DType::bf16) return body(Bf16{});
  throw Error(std::string("[cuda] ") + op + " takes f32 or bf16, not " + std::string(name_of(dtype)));
}

/// Whether all pointers, which may be null, are multiples of 16 bytes.
template <class... Pointers>
bool aligned(const Pointers*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

/// Floats that a thread keeps in registers.
template <int N>
struct Floats {
  float at[N];
  __device__ float& operator[](int i) { return at[i]; }
  __device__ float operator[](int i) const { return at[i]; }
};

/// N elements in memory, moved by accesses of up to 16 bytes.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Pack {
  T at[N];
};

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(Bf16 x) { return __bfloat162float(x); }
template <class T>
__device__ T from_float(float x) {
  if constexpr (std::is_same_v<T, Bf16>) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

/// N consecutive elements. N is a power of two, and `from` a multiple of its bytes or of 16.
template <int N, class T>
__device__ Floats<N> load(const T* from) {
  const auto pack = *reinterpret_cast<const Pack<T, N>*>(from);
  Floats<N> values;
#pragma unroll
  for (int i = 0; i < N; ++i) values[i] = to_float(pack.at[i]);
  return values;
}

/// Writes what load would read; bf16 rounds to nearest even.
template <int N, class T>
__device__ void store(T* to, const Floats<N>& values) {
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) pack.at[i] = from_float<T>(values[i]);
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

/// Which of all threads of a one-dimensional grid this is.
__device__ inline int64_t thread_of_grid() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

/// The larger of two; NaN if either is (fmaxf drops it).
template <class T>
__device__ T larger(T a, T b) {
  return a < b || b != b ? b : a;
}

struct Sum {
  template <class T>
  __device__ static T of(T a, T b) {
    return a + b;
  }
  template <class T>
  __device__ static T start() {
    return T(0);
  }
};
struct Largest {
  template <class T>
  __device__ static T of(T a, T b) {
    return larger(a, b);
  }
  template <class T>
  __device__ static T start() {
    return -INFINITY;
  }
};

/// Sum or Largest over the 32 threads of a warp; all get it.
template <class Op, class T>
__device__ T over_warp(T x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x = Op::of(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
  return x;
}

/// Lane i gets in v[0, N / 32) the sums over the warp of v[i · N / 32, (i + 1) · N / 32).
template <int N, int step = 16>
__device__ void sum_over_warp(float* v) {
  constexpr int half = N / 2;
  const bool upper = (threadIdx.x & static_cast<unsigned>(step)) != 0;
#pragma unroll
  for (int i = 0; i < half; ++i) {
    const float kept = upper ? v[i + half] : v[i], given = upper ? v[i] : v[i + half];
    v[i] = kept + __shfl_xor_sync(0xFFFFFFFFu, given, step);
  }
  if constexpr (step > 1) sum_over_warp<half, step / 2>(v);
}

/// Sum or Largest over a block of a multiple of 32 threads, at most 1,024; all get it.
template <class Op, class T>
__device__ T over_block(T x) {
  __shared__ T of_warp[32];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  x = over_warp<Op>(x);
  __syncthreads();  // an earlier call may still be reading
  if (lane == 0) of_warp[warp] = x;
  __syncthreads();
  return over_warp<Op>(lane < blockDim.x / 32 ? of_warp[lane] : Op::template start<T>());
}

/// Body's `run<N>(at)` for N elements from `at`, with N = 1 for the last ones.
template <int N, class Body>
__global__ void __launch_bounds__(256) elements(int64_t count, Body body) {
  int64_t at = thread_of_grid() * N;
  if (at + N <= count) return body.template run<N>(at);
  for (; at < count; ++at) body.template run<1>(at);
}

/// Queues Body for `count` elements, N of them for each thread if `wide`, which says that all pointers are aligned().
template <int N, class Body>
void for_elements(int64_t count, bool wide, const Body& body) {
  constexpr int64_t threads = 256;
  if (wide) {
    launch(&elements<N, Body>, blocks_for(count, threads * N), threads, count, body);
  } else {
    launch(&elements<1, Body>, blocks_for(count, threads), threads, count, body);
  }
}

}  // namespace astroclip::cuda
