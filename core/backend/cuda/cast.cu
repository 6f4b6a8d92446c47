#include <algorithm>
#include <type_traits>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/vector.h"
#include "backend/with_type_internal.h"

namespace astroclip::cuda {

namespace {

template <class T>
struct Fill {
  T value;
  T* y;
  template <int N>
  __device__ void run(int64_t at) const {
    Pack<T, N> pack;
#pragma unroll
    for (int i = 0; i < N; ++i) pack.at[i] = value;
    *reinterpret_cast<Pack<T, N>*>(y + at) = pack;
  }
};

template <class To, class From>
__device__ To convert(From value) {
  if constexpr (std::is_same_v<From, Bf16>) {
    return convert<To>(__bfloat162float(value));
  } else if constexpr (std::is_same_v<To, Bf16>) {
    return __float2bfloat16_rn(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
struct Cast {
  const From* x;
  To* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const auto from = *reinterpret_cast<const Pack<From, N>*>(x + at);
    Pack<To, N> to;
#pragma unroll
    for (int i = 0; i < N; ++i) to.at[i] = convert<To>(from.at[i]);
    *reinterpret_cast<Pack<To, N>*>(y + at) = to;
  }
};

/// The same bits `value` in each element.
template <class T>
void fill_bits(View y, T value) {
  for_elements<16 / sizeof(T)>(y.numel(), aligned(y.data), Fill<T>{value, y.as<T>()});
}

}  // namespace

void CudaBackend::fill(View y, double value) {
  with_type<BFloat16>(y.dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      fill_bits(y, BFloat16(static_cast<float>(value)).bits);
    } else {
      fill_bits(y, static_cast<T>(value));
    }
  });
}

void CudaBackend::cast(ConstView x, View y) {
  with_type<Bf16>(x.dtype, [&]<class From>(From) {
    with_type<Bf16>(y.dtype, [&]<class To>(To) {
      constexpr int wide = 16 / std::max(sizeof(From), sizeof(To));
      for_elements<wide>(x.numel(), aligned(x.data, y.data), Cast<From, To>{x.as<From>(), y.as<To>()});
    });
  });
}

}  // namespace astroclip::cuda
