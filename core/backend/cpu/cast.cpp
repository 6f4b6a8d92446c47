#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/cast.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd-inl.h"
#include "backend/with_type_internal.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

void round_run(const float* x, BFloat16* y, int64_t size) {
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR { store(load(x + i, n), y + i, n); });
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(round_run);

namespace {

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return BFloat16(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace

void CpuBackend::fill(View y, double value) {
  with_type<BFloat16>(y.dtype, [&](auto type) {
    using T = decltype(type);
    parallel_for(y.numel(), elementwise_grain,
                 [&](int64_t begin, int64_t end) { std::fill(y.as<T>() + begin, y.as<T>() + end, convert<T>(value)); });
  });
}

void CpuBackend::cast(ConstView x, View y) {
  if (x.dtype == DType::f32 && y.dtype == DType::bf16) {
    return round_to_bf16(x.as<float>(), y.as<BFloat16>(), x.numel());
  }
  with_type<BFloat16>(x.dtype, [&](auto from) {
    with_type<BFloat16>(y.dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      parallel_for(x.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y.as<To>()[i] = convert<To>(x.as<From>()[i]);
      });
    });
  });
}

void round_to_bf16(const float* x, BFloat16* y, int64_t size) {
  parallel_for(size, elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(round_run)(x + begin, y + begin, end - begin);
  });
}

void round_rows_to_bf16(const float* x, int64_t x_pitch, BFloat16* y, int64_t y_pitch, int64_t width, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) {
    HWY_DYNAMIC_DISPATCH(round_run)(x + row * x_pitch, y + row * y_pitch, width);
  }
}

}  // namespace astroclip::cpu
#endif
