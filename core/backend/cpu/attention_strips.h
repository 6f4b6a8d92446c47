#pragma once

#include <hwy/base.h>

#include <cstdint>

#include "backend/cpu/attention.h"

/// What the forward kernels share: a head's keys and values are packed once; then strips of queries go through scores,
/// softmax and mixing while they are in the first-level cache. Products of general shape, called three times a tile,
/// spend as long on their calls and packings as on the arithmetic.
namespace astroclip::cpu {

/// Where a strip of queries is read and written; log_sum_exp may be null.
template <class T>
struct Strip {
  const T* q;
  int64_t q_stride;
  T* y;
  int64_t y_stride;
  float* log_sum_exp;
};

/// Has the processor fetch rows [tokens · part / parts, tokens · (part + 1) / parts) of one head. They are a fraction
/// of a page long and pages apart, which it does not foresee by itself. Inlined always: GCC drops calls of a function
/// that does nothing but prefetch.
template <class T>
HWY_INLINE void prefetch_head(const HeadsView& view, int64_t batch, int64_t head, int64_t width, int64_t part,
                              int64_t parts) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t t = view.tokens * part / parts; t < view.tokens * (part + 1) / parts; ++t) {
    const T* row = head_of<T>(view, batch, head, width) + t * view.token_stride;
    for (int64_t i = 0; i < width; i += line) __builtin_prefetch(row + i, 0, 2);
  }
}

/// Calls attend(rows, strip) for strips of at most `most` of a head's queries, as even as can be, and between them has
/// the next head fetched. A unit is a head of an object: batch · heads + head.
template <class T, class Attend>
void for_each_strip(const AttentionArguments& a, int64_t unit, int64_t most, const Attend& attend) {
  const int64_t batch = unit / a.heads, head = unit % a.heads, next = unit + 1;
  const T* q = head_of<T>(a.q, batch, head, a.width);
  T* y = head_of<T>(a.y, batch, head, a.width);
  float* log_sum_exp = a.log_sum_exp ? a.log_sum_exp.as<float>() + unit * a.q.tokens : nullptr;
  const HeadsView result{a.y.data, a.y.tokens, a.y.batch_stride, a.y.token_stride};
  const int64_t count = (a.q.tokens + most - 1) / most;
  for (int64_t i = 0; i < count; ++i) {
    if (next < a.batch * a.heads) {
      for (const HeadsView* each : {&a.q, &a.k, &a.v, &result}) {
        prefetch_head<T>(*each, next / a.heads, next % a.heads, a.width, i, count);
      }
    }
    const int64_t begin = a.q.tokens * i / count, rows = a.q.tokens * (i + 1) / count - begin;
    attend(rows, Strip<T>{q + begin * a.q.token_stride, a.q.token_stride, y + begin * a.y.token_stride,
                          a.y.token_stride, log_sum_exp == nullptr ? nullptr : log_sum_exp + begin});
  }
}

}  // namespace astroclip::cpu
