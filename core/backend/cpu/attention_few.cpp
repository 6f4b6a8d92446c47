#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_few.cpp"
#include <hwy/foreach_target.h>

#include <cmath>
#include <limits>

#include "backend/cpu/attention.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// y = factor · x, or y += factor · x.
void axpy(float factor, const float* x, float* y, int64_t size, bool accumulate) {
  const Vector a = set(factor);
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector before = accumulate ? load(y + i, n) : set(0.0f);
    store(hn::MulAdd(a, load(x + i, n), before), y + i, n);
  });
}

/// Probabilities of one query over all keys into `row`; gives their log Σ exp.
float attend_query(const float* q, const float* k, int64_t k_stride, int64_t keys, int64_t width, double scale,
                   float* row) {
  for (int64_t s = 0; s < keys; ++s) row[s] = static_cast<float>(scale) * dot(q, k + s * k_stride, width);
  const float top = max_of(row, keys);
  const Vector shift = set(top);
  const float sum = sum_of(keys, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector e = exp(hn::Sub(load(row + i, n, -std::numeric_limits<float>::infinity()), shift));
    store(e, row + i, n);
    return e;
  });
  const Vector factor = set(1.0f / sum);
  sweep(keys, [=](int64_t i, int64_t n) HWY_ATTR { store(hn::Mul(load(row + i, n), factor), row + i, n); });
  return top + std::log(sum);
}

void few_head(const AttentionArguments& a, float* row, int64_t batch, int64_t head) {
  const float* k = head_of(a.k, batch, head, a.width);
  const float* v = head_of(a.v, batch, head, a.width);
  for (int64_t t = 0; t < a.q.tokens; ++t) {
    const float* q = head_of(a.q, batch, head, a.width) + t * a.q.token_stride;
    float* y = head_of(a.y, batch, head, a.width) + t * a.y.token_stride;
    const float lse = attend_query(q, k, a.k.token_stride, a.k.tokens, a.width, a.scale, row);
    if (a.log_sum_exp) a.log_sum_exp.as<float>()[(batch * a.heads + head) * a.q.tokens + t] = lse;
    for (int64_t s = 0; s < a.k.tokens; ++s) axpy(row[s], v + s * a.v.token_stride, y, a.width, s > 0);
  }
}

void few_head_backward(const AttentionBackwardArguments& a, float* row, int64_t batch, int64_t head) {
  const float* k = head_of(a.k, batch, head, a.width);
  const float* v = head_of(a.v, batch, head, a.width);
  float* dk = head_of(a.dk, batch, head, a.width);
  float* dv = head_of(a.dv, batch, head, a.width);
  for (int64_t t = 0; t < a.q.tokens; ++t) {
    const float* q = head_of(a.q, batch, head, a.width) + t * a.q.token_stride;
    const float* y = head_of(a.y, batch, head, a.width) + t * a.y.token_stride;
    const float* dy = head_of(a.dy, batch, head, a.width) + t * a.dy.token_stride;
    float* dq = head_of(a.dq, batch, head, a.width) + t * a.dq.token_stride;
    attend_query(q, k, a.k.token_stride, a.k.tokens, a.width, a.scale, row);
    const float weighted = dot(dy, y, a.width);
    for (int64_t s = 0; s < a.k.tokens; ++s) {
      const float dp = dot(dy, v + s * a.v.token_stride, a.width);
      const float dscore = static_cast<float>(a.scale) * row[s] * (dp - weighted);
      axpy(row[s], dy, dv + s * a.dv.token_stride, a.width, t > 0);
      axpy(dscore, q, dk + s * a.dk.token_stride, a.width, t > 0);
      axpy(dscore, k + s * a.k.token_stride, dq, a.width, s > 0);
    }
  }
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(few_head);
HWY_EXPORT(few_head_backward);

void attention_few(const AttentionArguments& a) {
  const auto run = [&](const Scratch& row, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      HWY_DYNAMIC_DISPATCH(few_head)(a, row.as<float>(), unit / a.heads, unit % a.heads);
    }
  };
  parallel_with<Scratch>(a.batch * a.heads, row_grain(a.k.tokens * a.width), run,
                         a.k.tokens * static_cast<int64_t>(sizeof(float)));
}

void attention_few_backward(const AttentionBackwardArguments& a) {
  const auto run = [&](const Scratch& row, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      HWY_DYNAMIC_DISPATCH(few_head_backward)(a, row.as<float>(), unit / a.heads, unit % a.heads);
    }
  };
  parallel_with<Scratch>(a.batch * a.heads, row_grain(a.k.tokens * a.width), run,
                         a.k.tokens * static_cast<int64_t>(sizeof(float)));
}

}  // namespace astroclip::cpu
#endif
