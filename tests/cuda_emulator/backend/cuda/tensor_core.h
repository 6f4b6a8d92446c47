#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>

#include "backend/cuda/launch.h"

/// In place of core/backend/cuda/tensor_core.h.
namespace astroclip::cuda {

using SharedAddress = uintptr_t;
inline SharedAddress shared_address(const void* p) { return reinterpret_cast<SharedAddress>(p); }

inline void copy_async(SharedAddress to, const void* from, bool there) {
  if (there) {
    std::memcpy(reinterpret_cast<void*>(to), from, 16);
  } else {
    std::memset(reinterpret_cast<void*>(to), 0, 16);
  }
}
inline void wait_for_copies() {}

namespace emulated {

inline constexpr unsigned whole_warp = 0xFFFFFFFF;

template <class T>
T at(SharedAddress address) {
  return *reinterpret_cast<const T*>(address);
}
inline float low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
inline float high(uint32_t pair) { return std::bit_cast<float>(pair & 0xFFFF0000); }

}  // namespace emulated

inline void load_matrices(uint32_t (&r)[4], SharedAddress row) {
  const int lane = emulated::lane();
  for (int m = 0; m < 4; ++m) {
    const SharedAddress from = __shfl_sync(emulated::whole_warp, row, 8 * m + lane / 4);
    r[m] = emulated::at<uint32_t>(from + static_cast<SharedAddress>(lane % 4 * 4));
  }
}
inline void load_matrices_turned(uint32_t (&r)[4], SharedAddress row) {
  const int lane = emulated::lane();
  const auto column = static_cast<SharedAddress>(lane / 4 * 2);
  for (int m = 0; m < 4; ++m) {
    const SharedAddress first = __shfl_sync(emulated::whole_warp, row, 8 * m + lane % 4 * 2);
    const SharedAddress second = __shfl_sync(emulated::whole_warp, row, 8 * m + lane % 4 * 2 + 1);
    r[m] = emulated::at<uint16_t>(first + column) | uint32_t{emulated::at<uint16_t>(second + column)} << 16;
  }
}
inline void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const int lane = emulated::lane();
  for (int quarter = 0; quarter < 4; ++quarter) {  // terms 2 · quarter, the next, and these + 8
    uint32_t left[4], right[2][2];
    for (int i = 0; i < 4; ++i) left[i] = __shfl_sync(emulated::whole_warp, a[i], lane / 4 * 4 + quarter);
    for (int column = 0; column < 2; ++column) {
      const int from = (lane % 4 * 2 + column) * 4 + quarter;
      right[column][0] = __shfl_sync(emulated::whole_warp, b0, from);
      right[column][1] = __shfl_sync(emulated::whole_warp, b1, from);
    }
    for (int row = 0; row < 2; ++row) {
      for (int column = 0; column < 2; ++column) {
        for (int half = 0; half < 2; ++half) {
          const uint32_t x = left[row + 2 * half], y = right[column][half];
          d[2 * row + column] += emulated::low(x) * emulated::low(y) + emulated::high(x) * emulated::high(y);
        }
      }
    }
  }
}

inline float power_of_2(float x) {
  const float y = std::exp2(x);
  return y < 0x1p-126F ? 0.0F : y;
}

}  // namespace astroclip::cuda
