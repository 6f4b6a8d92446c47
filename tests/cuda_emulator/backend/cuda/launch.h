#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <math.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
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
/// Waits for the threads of the warp in `mask` that have not returned.
void wait_for_warp(unsigned mask, std::source_location place);
/// The same; gives the value of lane `from`, all ones if it takes no part.
uint64_t exchange(unsigned mask, uint64_t value, int from, std::source_location place);
/// The same; bit i is set where lane i takes part and says yes.
unsigned vote_of_warp(unsigned mask, bool yes, std::source_location place);
int lane();
void* shared_bytes();
/// Dynamic shared memory of a block of the cluster that runs.
char* shared_of(unsigned rank);
unsigned rank_in_cluster();

/// Lets the others run before the thread asks again for something. It is an error if nothing has happened meanwhile
/// anywhere in the cluster.
void ask_again(std::source_location place);
/// Says that something has happened for which a thread may have asked.
void happened();

void queue_kernel(const void* kernel, unsigned cluster, dim3 grid, dim3 block, size_t shared,
                  std::function<void()> thread);

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
void launch_clusters(void (*kernel)(Parameters...), unsigned blocks, dim3 grid, dim3 block, size_t shared,
                     typename Same<Parameters>::type... arguments) {
  static_assert((0 + ... + sizeof(Parameters)) <= 4096 - 8 * sizeof...(Parameters), "too many bytes of parameters");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  emulated::queue_kernel(reinterpret_cast<const void*>(kernel), blocks, grid, block, shared,
                         [=] { kernel(arguments...); });
}

template <class... Parameters>
void launch_shared(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
                   typename Same<Parameters>::type... arguments) {
  launch_clusters<Parameters...>(kernel, 1, grid, block, shared, arguments...);
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
#undef __grid_constant__
#define __grid_constant__

#define threadIdx (::astroclip::cuda::emulated::thread_index)
#define blockIdx (::astroclip::cuda::emulated::block_index)
#define blockDim (::astroclip::cuda::emulated::block_extents)
#define gridDim (::astroclip::cuda::emulated::grid_extents)
#define warpSize 32

using EmulatedPlace = std::source_location;

inline void __syncthreads(EmulatedPlace place = EmulatedPlace::current()) {
  ::astroclip::cuda::emulated::wait_for_block(place);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFF, EmulatedPlace place = EmulatedPlace::current()) {
  ::astroclip::cuda::emulated::wait_for_warp(mask, place);
}

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

template <std::integral T, std::integral U>
auto max(T a, U b) {
  return std::max<std::common_type_t<T, U>>(a, b);
}
template <std::integral T, std::integral U>
auto min(T a, U b) {
  return std::min<std::common_type_t<T, U>>(a, b);
}
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
