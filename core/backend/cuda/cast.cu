#include <algorithm>
#include <type_traits>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

/// Calls body with a value of the type on the card behind `dtype`.
template <class Body>
void with_type(DType dtype, Body body) {
  switch (dtype) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::bf16:
      return body(Bf16{});
    case DType::i32:
      return body(int32_t{});
    case DType::i64:
      return body(int64_t{});
    case DType::u8:
      return body(uint8_t{});
  }
}

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
  switch (y.dtype) {
    case DType::f32:
      return fill_bits(y, static_cast<float>(value));
    case DType::f64:
      return fill_bits(y, value);
    case DType::bf16:
      return fill_bits(y, BFloat16(static_cast<float>(value)).bits);
    case DType::i32:
      return fill_bits(y, static_cast<int32_t>(value));
    case DType::i64:
      return fill_bits(y, static_cast<int64_t>(value));
    case DType::u8:
      return fill_bits(y, static_cast<uint8_t>(value));
  }
}

void CudaBackend::cast(ConstView x, View y) {
  with_type(x.dtype, [&]<class From>(From) {
    with_type(y.dtype, [&]<class To>(To) {
      constexpr int wide = 16 / std::max(sizeof(From), sizeof(To));
      for_elements<wide>(x.numel(), aligned(x.data, y.data), Cast<From, To>{x.as<From>(), y.as<To>()});
    });
  });
}

}  // namespace astroclip::cuda
