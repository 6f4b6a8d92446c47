#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/softmax.cpp"
#include <hwy/foreach_target.h>

#include <cmath>
#include <limits>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

constexpr float nothing = -std::numeric_limits<float>::infinity();

/// log Σ exp of a row.
float log_sum_exp_of(const float* x, int64_t width) {
  const float top = max_of(x, width);
  const Vector shift = set(top);
  const float sum =
      sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR { return exp(hn::Sub(load(x + i, n, nothing), shift)); });
  return top + std::log(sum);
}

/// y = scale · (x − shift), the shift optional.
void shift_row(const float* x, const float* shift, float scale, float* y, int64_t width) {
  const Vector factor = set(scale);
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector value = load(x + i, n);
    store(hn::Mul(factor, shift == nullptr ? value : hn::Sub(value, load(shift + i, n))), y + i, n);
  });
}

void softmax_rows(const float* x, const float* centre, float scale, float* y, int64_t width, int64_t begin,
                  int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* in = x + row * width;
    float* out = y + row * width;
    if (centre != nullptr || scale != 1.0f) {
      shift_row(in, centre, scale, out, width);
      in = out;
    }
    const Vector shift = set(max_of(in, width));
    const float sum = sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR {
      const Vector e = exp(hn::Sub(load(in + i, n, nothing), shift));
      store(e, out + i, n);
      return e;
    });
    const Vector factor = set(1.0f / sum);
    sweep(width, [=](int64_t i, int64_t n) HWY_ATTR { store(hn::Mul(load(out + i, n), factor), out + i, n); });
  }
}

void softmax_backward_rows(const float* dy, const float* y, float* dx, int64_t width, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* gradient = dy + row * width;
    const float* p = y + row * width;
    float* out = dx + row * width;
    const Vector weighted = set(dot(gradient, p, width));
    sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
      store(hn::Mul(load(p + i, n), hn::Sub(load(gradient + i, n), weighted)), out + i, n);
    });
  }
}

void log_sum_exp_rows(const float* x, float* y, int64_t width, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) y[row] = log_sum_exp_of(x + row * width, width);
}

void cross_entropy_rows(const float* logits, const int64_t* targets, float* loss, float* log_sum_exp, int64_t width,
                        int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float lse = log_sum_exp_of(logits + row * width, width);
    log_sum_exp[row] = lse;
    loss[row] = lse - logits[row * width + targets[row]];
  }
}

void cross_entropy_backward_rows(const float* logits, const int64_t* targets, const float* log_sum_exp,
                                 const float* dloss, float* dlogits, int64_t width, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* in = logits + row * width;
    float* out = dlogits + row * width;
    const Vector shift = set(log_sum_exp[row]), factor = set(dloss[row]);
    sweep(width, [=](int64_t i, int64_t n)
                     HWY_ATTR { store(hn::Mul(exp(hn::Sub(load(in + i, n), shift)), factor), out + i, n); });
    // Of the difference p − 1 at the target, not of the product, which may have lost it.
    const int64_t hit = targets[row];
    out[hit] = std::expm1(in[hit] - log_sum_exp[row]) * dloss[row];
  }
}

/// body(target) for each target of a row.
template <class Body>
HWY_INLINE void for_each_target(const ConstView& targets, const ConstView& against, int64_t row, Body body) {
  const int64_t most = against.shape[1], width = targets.shape[1];
  for (int64_t j = 0; j < most; ++j) {
    const int64_t target = against.as<int64_t>()[row * most + j];
    if (target >= 0) body(targets.as<float>() + target * width);
  }
}

void soft_cross_entropy_rows(const SoftCrossEntropyArguments& a, int64_t begin, int64_t end) {
  const int64_t width = a.logits.shape[1];
  const auto sharpness = static_cast<float>(1.0 / a.temperature);
  for (int64_t row = begin; row < end; ++row) {
    const float* in = a.logits.as<float>() + row * width;
    const float top = max_of(in, width);
    const Vector shift = set(top), factor = set(sharpness);
    const float log_sum = std::log(sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR {
      return exp(hn::Mul(hn::Sub(load(in + i, n, nothing), shift), factor));
    }));
    // Distances from the largest logit, so that nothing large is subtracted.
    float below = 0.0f, total = 0.0f;
    for_each_target(a.targets, a.against, row, [&](const float* target) HWY_ATTR {
      below += sum_of(width, [=](int64_t i, int64_t n)
                                 HWY_ATTR { return hn::Mul(load(target + i, n), hn::Sub(shift, load(in + i, n))); });
      total += sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR { return load(target + i, n); });
    });
    a.loss.as<float>()[row] = total * log_sum + below * sharpness;
    a.log_sum_exp.as<float>()[row] = top * sharpness + log_sum;
    a.mass.as<float>()[row] = total;
  }
}

void soft_cross_entropy_backward_rows(const SoftCrossEntropyBackwardArguments& a, int64_t begin, int64_t end) {
  const int64_t width = a.logits.shape[1];
  const auto sharpness = static_cast<float>(1.0 / a.temperature);
  for (int64_t row = begin; row < end; ++row) {
    const float* in = a.logits.as<float>() + row * width;
    float* out = a.dlogits.as<float>() + row * width;
    const Vector shift = set(a.log_sum_exp.as<float>()[row]), factor = set(sharpness);
    const Vector weight = set(a.dloss.as<float>()[row] * sharpness);
    const Vector total = hn::Mul(weight, set(a.mass.as<float>()[row]));
    sweep(width, [=](int64_t i, int64_t n)
                     HWY_ATTR { store(hn::Mul(total, exp(hn::MulSub(load(in + i, n), factor, shift))), out + i, n); });
    for_each_target(a.targets, a.against, row, [=](const float* target) HWY_ATTR {
      sweep(width, [=](int64_t i, int64_t n)
                       HWY_ATTR { store(hn::NegMulAdd(weight, load(target + i, n), load(out + i, n)), out + i, n); });
    });
  }
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(softmax_rows);
HWY_EXPORT(softmax_backward_rows);
HWY_EXPORT(log_sum_exp_rows);
HWY_EXPORT(cross_entropy_rows);
HWY_EXPORT(cross_entropy_backward_rows);
HWY_EXPORT(soft_cross_entropy_rows);
HWY_EXPORT(soft_cross_entropy_backward_rows);

void CpuBackend::softmax(ConstView x, ConstView shift, double scale, View y) {
  expect_f32(x, "softmax");
  const int64_t width = x.shape[-1];
  parallel_for(rows_of(x.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(softmax_rows)
    (x.as<float>(), shift.as<float>(), static_cast<float>(scale), y.as<float>(), width, begin, end);
  });
}

void CpuBackend::softmax_backward(ConstView dy, ConstView y, View dx) {
  expect_f32(dy, "softmax_backward");
  const int64_t width = y.shape[-1];
  parallel_for(rows_of(y.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(softmax_backward_rows)(dy.as<float>(), y.as<float>(), dx.as<float>(), width, begin, end);
  });
}

void CpuBackend::log_sum_exp(ConstView x, View y) {
  expect_f32(x, "log_sum_exp");
  const int64_t width = x.shape[-1];
  parallel_for(rows_of(x.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(log_sum_exp_rows)(x.as<float>(), y.as<float>(), width, begin, end);
  });
}

void CpuBackend::cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) {
  expect_f32(logits, "cross_entropy");
  const int64_t width = logits.shape[-1];
  parallel_for(rows_of(logits.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(cross_entropy_rows)
    (logits.as<float>(), targets.as<int64_t>(), loss.as<float>(), log_sum_exp.as<float>(), width, begin, end);
  });
}

void CpuBackend::cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss,
                                        View dlogits) {
  expect_f32(logits, "cross_entropy_backward");
  const int64_t width = logits.shape[-1];
  parallel_for(rows_of(logits.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(cross_entropy_backward_rows)
    (logits.as<float>(), targets.as<int64_t>(), log_sum_exp.as<float>(), dloss.as<float>(), dlogits.as<float>(), width,
     begin, end);
  });
}

void CpuBackend::soft_cross_entropy(const SoftCrossEntropyArguments& arguments) {
  expect_f32(arguments.logits, "soft_cross_entropy");
  parallel_for(arguments.logits.shape[0], row_grain(arguments.logits.shape[1]), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(soft_cross_entropy_rows)(arguments, begin, end);
  });
}

void CpuBackend::soft_cross_entropy_backward(const SoftCrossEntropyBackwardArguments& arguments) {
  expect_f32(arguments.logits, "soft_cross_entropy_backward");
  parallel_for(arguments.logits.shape[0], row_grain(arguments.logits.shape[1]), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(soft_cross_entropy_backward_rows)(arguments, begin, end);
  });
}

}  // namespace astroclip::cpu
#endif
