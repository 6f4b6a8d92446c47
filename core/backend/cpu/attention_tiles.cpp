#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_tiles.cpp"
#include "backend/cpu/attention_tiles.h"

#include <hwy/foreach_target.h>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

void differentiate(float* scores, float* dp, int64_t rows, int64_t keys, double scale, const float* log_sum_exp,
                   const float* dy, int64_t dy_pitch, const float* y, int64_t y_pitch, int64_t width) {
  const Vector factor = set(static_cast<float>(scale));
  for (int64_t row = 0; row < rows; ++row) {
    float* p = scores + row * score_pitch(keys);
    float* gradient = dp + row * score_pitch(keys);
    const Vector shift = set(log_sum_exp[row]);
    const Vector weighted = set(dot(dy + row * dy_pitch, y + row * y_pitch, width));
    sweep(keys, [=](int64_t i, int64_t n) HWY_ATTR {
      const Vector e = exp(hn::MulSub(load(p + i, n), factor, shift));
      store(e, p + i, n);
      store(hn::Mul(hn::Mul(e, factor), hn::Sub(load(gradient + i, n), weighted)), gradient + i, n);
    });
  }
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(differentiate);

void differentiate_tile(float* scores, float* dp, int64_t rows, int64_t keys, double scale, const float* log_sum_exp,
                        const float* dy, int64_t dy_pitch, const float* y, int64_t y_pitch, int64_t width) {
  HWY_DYNAMIC_DISPATCH(differentiate)
  (scores, dp, rows, keys, scale, log_sum_exp, dy, dy_pitch, y, y_pitch, width);
}

}  // namespace astroclip::cpu
#endif
