#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/optimiser.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

namespace astroclip::cpu {

#ifndef ASTROCLIP_BACKEND_CPU_ADAMW_FACTORS
#define ASTROCLIP_BACKEND_CPU_ADAMW_FACTORS
/// What a step of AdamW multiplies by, for one segment.
struct AdamwFactors {
  float clip, beta1, rest1, beta2, rest2, keep, rate, correction2, epsilon;
};
#endif

}  // namespace astroclip::cpu

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

double squares_run(const float* x, int64_t size) {
  const hn::ScalableTag<double> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  const auto step = static_cast<int64_t>(hn::Lanes(wide));
  auto even = hn::Zero(wide), odd = even;
  int64_t i = 0;
  for (; i + 2 * step <= size; i += 2 * step) {
    const auto a = hn::PromoteTo(wide, hn::LoadU(narrow, x + i));
    const auto b = hn::PromoteTo(wide, hn::LoadU(narrow, x + i + step));
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  double total = hn::GetLane(hn::SumOfLanes(wide, hn::Add(even, odd)));
  for (; i < size; ++i) total += static_cast<double>(x[i]) * x[i];
  return total;
}

void adamw_run(float* p, const float* gradient, float* m, float* v, const AdamwFactors& f, int64_t size) {
  const Vector clip = set(f.clip), beta1 = set(f.beta1), rest1 = set(f.rest1), beta2 = set(f.beta2);
  const Vector rest2 = set(f.rest2), keep = set(f.keep), rate = set(f.rate), correction2 = set(f.correction2);
  const Vector epsilon = set(f.epsilon);
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector g = hn::Mul(load(gradient + i, n), clip);
    const Vector first = hn::MulAdd(beta1, load(m + i, n), hn::Mul(rest1, g));
    const Vector second = hn::MulAdd(beta2, load(v + i, n), hn::Mul(rest2, hn::Mul(g, g)));
    store(first, m + i, n);
    store(second, v + i, n);
    const Vector divisor = hn::Add(hn::Sqrt(hn::Mul(second, correction2)), epsilon);
    const Vector step = hn::Div(hn::Mul(rate, first), divisor);
    store(hn::MulSub(keep, load(p + i, n), step), p + i, n);
  });
}

void average_run(float* target, const float* source, float share, int64_t size) {
  const Vector take = set(share);
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector before = load(target + i, n);
    store(hn::MulAdd(take, hn::Sub(load(source + i, n), before), before), target + i, n);
  });
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(squares_run);
HWY_EXPORT(adamw_run);
HWY_EXPORT(average_run);

namespace {

/// Sum of squares in double over pieces of fixed size, added in their order.
double squares_of(const float* x, int64_t size) {
  constexpr int64_t piece = 32768;
  const int64_t pieces = (size + piece - 1) / piece;
  const Scratch partial(pieces * static_cast<int64_t>(sizeof(double)));
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      partial.as<double>()[k] = HWY_DYNAMIC_DISPATCH(squares_run)(x + k * piece, std::min(piece, size - k * piece));
    }
  });
  double total = 0.0;
  for (int64_t k = 0; k < pieces; ++k) total += partial.as<double>()[k];
  return total;
}

}  // namespace

void CpuBackend::gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) {
  double squares = 0.0;
  for (const ConstView& gradient : gradients) {
    expect_f32(gradient, "gradient_clip");
    squares += squares_of(gradient.as<float>(), gradient.numel());
  }
  set_clip_state(std::sqrt(squares), max_norm, state);
}

void CpuBackend::adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) {
  const double* clip = step.clip.as<double>();
  if (clip[2] == 0.0) return;
  for (const AdamwSegment& segment : segments) {
    expect_f32(segment.parameter, "adamw");
    const auto steps = static_cast<double>(segment.step);
    const double correction1 = 1.0 - std::pow(step.beta1, steps), correction2 = 1.0 - std::pow(step.beta2, steps);
    const AdamwFactors factors = {static_cast<float>(clip[1]),
                                  static_cast<float>(step.beta1),
                                  static_cast<float>(1.0 - step.beta1),
                                  static_cast<float>(step.beta2),
                                  static_cast<float>(1.0 - step.beta2),
                                  static_cast<float>(1.0 - segment.learning_rate * segment.weight_decay),
                                  static_cast<float>(segment.learning_rate / correction1),
                                  static_cast<float>(1.0 / correction2),
                                  static_cast<float>(step.epsilon)};
    parallel_for(segment.parameter.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(adamw_run)
      (segment.parameter.as<float>() + begin, segment.gradient.as<float>() + begin,
       segment.first_moment.as<float>() + begin, segment.second_moment.as<float>() + begin, factors, end - begin);
    });
  }
}

void CpuBackend::exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay) {
  for (size_t k = 0; k < targets.size(); ++k) {
    expect_f32(targets[k], "exponential_average");
    parallel_for(targets[k].numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(average_run)
      (targets[k].as<float>() + begin, sources[k].as<float>() + begin, static_cast<float>(1.0 - decay), end - begin);
    });
  }
}

}  // namespace astroclip::cpu
#endif
