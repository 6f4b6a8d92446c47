#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <math.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <type_traits>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"

/// In place of core/backend/cuda/launch.h: the language of kernels, for a host compiler. The threads of a block take
/// turns; each runs until it waits for others.
namespace astroclip::cuda {

namespace emulated {

/// Of the thread that runs.
extern uint3 thread_index, block_index;
extern dim3 block_extents, grid_extents;

/// Waits for all threads of the block that have not returned; all must wait at the same place.
void wait_for_block(std::source_location place);
/// The same; returns how many threads said yes.
int vote_of_block(bool yes, std::source_location place);
/// Waits for the threads of the warp in `mask` that have not returned.
void wait_for_warp(unsigned mask, std::source_location place);
/// The same; gives the value of lane `from`, all ones if it takes no part.
uint64_t exchange(unsigned mask, uint64_t value, int from, std::source_location place);
/// The same; bit i is set where lane i takes part and says yes.
unsigned vote_of_warp(unsigned mask, bool yes, std::source_location place);
int lane();
void* shared_bytes();

void queue_kernel(const void* kernel, dim3 grid, dim3 block, size_t shared, std::function<void()> thread);

template <class T>
T shuffle(unsigned mask, T value, int from, std::source_location place) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, from, place);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emulated

template <class T>
struct Same {
  using type = T;
};

template <class... Parameters>
void launch_shared(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
                   typename Same<Parameters>::type... arguments) {
  static_assert((0 + ... + sizeof(Parameters)) <= 4096 - 8 * sizeof...(Parameters), "too many bytes of parameters");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  emulated::queue_kernel(reinterpret_cast<const void*>(kernel), grid, block, shared, [=] { kernel(arguments...); });
}

template <class... Parameters>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, typename Same<Parameters>::type... arguments) {
  launch_shared<Parameters...>(kernel, grid, block, 0, arguments...);
}

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(emulated::shared_bytes());
}

inline unsigned blocks_for(int64_t count, int64_t block) { return static_cast<unsigned>((count + block - 1) / block); }

}  // namespace astroclip::cuda

// Kernels run on one thread of the host, so that its own variables are the block's.
#undef __shared__
#define __shared__ static thread_local
#undef __launch_bounds__
#define __launch_bounds__(...)
#define __CUDA_EMULATED__ 1

#define threadIdx (::astroclip::cuda::emulated::thread_index)
#define blockIdx (::astroclip::cuda::emulated::block_index)
#define blockDim (::astroclip::cuda::emulated::block_extents)
#define gridDim (::astroclip::cuda::emulated::grid_extents)
#define warpSize 32

using EmulatedPlace = std::source_location;

inline void __syncthreads(EmulatedPlace place = EmulatedPlace::current()) {
  ::astroclip::cuda::emulated::wait_for_block(place);
}
inline int __syncthreads_count(int yes, EmulatedPlace place = EmulatedPlace::current()) {
  return ::astroclip::cuda::emulated::vote_of_block(yes != 0, place);
}
inline int __syncthreads_or(int yes, EmulatedPlace place = EmulatedPlace::current()) {
  return __syncthreads_count(yes, place) > 0;
}
inline int __syncthreads_and(int yes, EmulatedPlace place = EmulatedPlace::current()) {
  return __syncthreads_count(!yes, place) == 0;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFF, EmulatedPlace place = EmulatedPlace::current()) {
  ::astroclip::cuda::emulated::wait_for_warp(mask, place);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) {}

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, EmulatedPlace place = EmulatedPlace::current()) {
  const int first = ::astroclip::cuda::emulated::lane() & ~(width - 1);
  return ::astroclip::cuda::emulated::shuffle(mask, value, first + (from & (width - 1)), place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EmulatedPlace place = EmulatedPlace::current()) {
  const int lane = ::astroclip::cuda::emulated::lane(), from = lane ^ bits;
  return ::astroclip::cuda::emulated::shuffle(mask, value, from < (lane & ~(width - 1)) + width ? from : lane, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32,
                   EmulatedPlace place = EmulatedPlace::current()) {
  const int lane = ::astroclip::cuda::emulated::lane(), from = lane + static_cast<int>(by);
  return ::astroclip::cuda::emulated::shuffle(mask, value, from < (lane & ~(width - 1)) + width ? from : lane, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, EmulatedPlace place = EmulatedPlace::current()) {
  const int lane = ::astroclip::cuda::emulated::lane(), from = lane - static_cast<int>(by);
  return ::astroclip::cuda::emulated::shuffle(mask, value, from >= (lane & ~(width - 1)) ? from : lane, place);
}
inline unsigned __ballot_sync(unsigned mask, int yes, EmulatedPlace place = EmulatedPlace::current()) {
  return ::astroclip::cuda::emulated::vote_of_warp(mask, yes != 0, place);
}
inline int __any_sync(unsigned mask, int yes, EmulatedPlace place = EmulatedPlace::current()) {
  return __ballot_sync(mask, yes, place) != 0;
}
inline int __all_sync(unsigned mask, int yes, EmulatedPlace place = EmulatedPlace::current()) {
  return __ballot_sync(mask, !yes, place) == 0;
}

// Cached and streaming accesses.
template <class T>
T __ldg(const T* pointer) {
  return *pointer;
}
template <class T>
T __ldcs(const T* pointer) {
  return *pointer;
}
template <class T>
T __ldcg(const T* pointer) {
  return *pointer;
}
template <class T>
T __ldca(const T* pointer) {
  return *pointer;
}
template <class T>
T __ldlu(const T* pointer) {
  return *pointer;
}
template <class T>
void __stcs(T* pointer, T value) {
  *pointer = value;
}
template <class T>
void __stcg(T* pointer, T value) {
  *pointer = value;
}
template <class T>
void __stwt(T* pointer, T value) {
  *pointer = value;
}
template <class T>
void __stwb(T* pointer, T value) {
  *pointer = value;
}

// Integers, of which sums have no order.
template <class T>
requires std::is_integral_v<T> T atomicAdd(T* pointer, std::type_identity_t<T> value) {
  return std::exchange(*pointer, *pointer + value);
}
template <class T>
requires std::is_integral_v<T> T atomicMax(T* pointer, std::type_identity_t<T> value) {
  return std::exchange(*pointer, *pointer < value ? value : *pointer);
}
template <class T>
requires std::is_integral_v<T> T atomicMin(T* pointer, std::type_identity_t<T> value) {
  return std::exchange(*pointer, value < *pointer ? value : *pointer);
}
template <class T>
requires std::is_integral_v<T> T atomicOr(T* pointer, std::type_identity_t<T> value) {
  return std::exchange(*pointer, *pointer | value);
}

// Bits.
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline int __mulhi(int a, int b) { return static_cast<int>((int64_t{a} * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned select) {
  const uint64_t bytes = uint64_t{b} << 32 | a;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) result |= static_cast<unsigned>(bytes >> 8 * (select >> 4 * i & 7) & 0xFF) << 8 * i;
  return result;
}

// Arithmetic. float overloads of CUDA's min and max drop NaN, like fminf and fmaxf.
template <class T, class U>
requires std::is_arithmetic_v<T> && std::is_arithmetic_v<U>
auto max(T a, U b) {
  using C = std::common_type_t<T, U>;
  if constexpr (std::is_floating_point_v<C>)
    return std::fmax(static_cast<C>(a), static_cast<C>(b));
  else
    return static_cast<C>(a) < static_cast<C>(b) ? static_cast<C>(b) : static_cast<C>(a);
}
template <class T, class U>
requires std::is_arithmetic_v<T> && std::is_arithmetic_v<U>
auto min(T a, U b) {
  using C = std::common_type_t<T, U>;
  if constexpr (std::is_floating_point_v<C>)
    return std::fmin(static_cast<C>(a), static_cast<C>(b));
  else
    return static_cast<C>(b) < static_cast<C>(a) ? static_cast<C>(b) : static_cast<C>(a);
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float normcdff(float x) { return 0.5f * std::erfc(x * -0.70710678f); }
inline float erfcxf(float x) { return static_cast<float>(std::exp(double{x} * double{x}) * std::erfc(double{x})); }
inline float fdividef(float a, float b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / std::sqrt(double{x})); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline unsigned __float2uint_rz(float x) { return static_cast<unsigned>(x); }
