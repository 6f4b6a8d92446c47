#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/normalize.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

void normalize_run(const float* x, float epsilon, float* y, float* norm, int64_t width, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* in = x + row * width;
    float* out = y + row * width;
    norm[row] = std::sqrt(dot(in, in, width));
    const Vector divisor = set(std::max(norm[row], epsilon));
    sweep(width, [=](int64_t i, int64_t n) HWY_ATTR { store(hn::Div(load(in + i, n), divisor), out + i, n); });
  }
}

void normalize_backward_run(const float* dy, const float* y, const float* norm, float epsilon, float* dx, int64_t width,
                            int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* gradient = dy + row * width;
    const float* unit = y + row * width;
    float* out = dx + row * width;
    // Below epsilon the divisor is constant, so nothing flows through the norm.
    const Vector along = set(norm[row] > epsilon ? dot(gradient, unit, width) : 0.0f);
    const Vector divisor = set(std::max(norm[row], epsilon));
    sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
      store(hn::Div(hn::NegMulAdd(along, load(unit + i, n), load(gradient + i, n)), divisor), out + i, n);
    });
  }
}

void weight_norm_run(const float* x, const float* length, float epsilon, float* y, float* norm, int64_t width,
                     int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* in = x + row * width;
    float* out = y + row * width;
    norm[row] = std::sqrt(dot(in, in, width));
    const Vector divisor = set(std::max(norm[row], epsilon)), factor = set(length[row]);
    sweep(width, [=](int64_t i, int64_t n)
                     HWY_ATTR { store(hn::Mul(hn::Div(load(in + i, n), divisor), factor), out + i, n); });
  }
}

void weight_norm_backward_run(const WeightNormBackwardArguments& a, int64_t begin, int64_t end) {
  const int64_t width = a.x.shape[-1];
  const auto epsilon = static_cast<float>(a.epsilon);
  for (int64_t row = begin; row < end; ++row) {
    const float* gradient = a.dy.as<float>() + row * width;
    const float* in = a.x.as<float>() + row * width;
    float* out = a.dx.as<float>() + row * width;
    const float norm = a.norm.as<float>()[row], divisor = std::max(norm, epsilon);
    const float flow = dot(gradient, in, width) / divisor;
    a.dlength.as<float>()[row] = flow;
    // Below epsilon the divisor is constant, so nothing flows through the norm.
    const Vector along = set(norm > epsilon ? flow / divisor : 0.0f), factor = set(a.length.as<float>()[row] / divisor);
    sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
      store(hn::Mul(factor, hn::NegMulAdd(along, load(in + i, n), load(gradient + i, n))), out + i, n);
    });
  }
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(normalize_run);
HWY_EXPORT(normalize_backward_run);
HWY_EXPORT(weight_norm_run);
HWY_EXPORT(weight_norm_backward_run);

void CpuBackend::normalize_rows(ConstView x, double epsilon, View y, View norm) {
  expect_f32(x, "normalize_rows");
  const int64_t width = x.shape[-1];
  parallel_for(rows_of(x.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(normalize_run)
    (x.as<float>(), static_cast<float>(epsilon), y.as<float>(), norm.as<float>(), width, begin, end);
  });
}

void CpuBackend::normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) {
  expect_f32(dy, "normalize_rows_backward");
  const int64_t width = y.shape[-1];
  parallel_for(rows_of(y.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(normalize_backward_run)
    (dy.as<float>(), y.as<float>(), norm.as<float>(), static_cast<float>(epsilon), dx.as<float>(), width, begin, end);
  });
}

void CpuBackend::weight_norm(ConstView x, ConstView length, double epsilon, View y, View norm) {
  expect_f32(x, "weight_norm");
  const int64_t width = x.shape[-1];
  parallel_for(rows_of(x.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(weight_norm_run)
    (x.as<float>(), length.as<float>(), static_cast<float>(epsilon), y.as<float>(), norm.as<float>(), width, begin,
     end);
  });
}

void CpuBackend::weight_norm_backward(const WeightNormBackwardArguments& arguments) {
  expect_f32(arguments.dy, "weight_norm_backward");
  const int64_t width = arguments.x.shape[-1];
  parallel_for(rows_of(arguments.x.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(weight_norm_backward_run)(arguments, begin, end);
  });
}

}  // namespace astroclip::cpu
#endif
