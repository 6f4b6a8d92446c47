// Attention whose q, k and v lie inside one product [batch, tokens, 3 · heads · width], as the backend takes it.
#pragma once

#include "backend/backend.h"
#include "device.h"

struct HeadShape {
  int64_t batch = 0, heads = 0, tokens = 0, width = 0;

  int64_t model() const { return heads * width; }
  int64_t rows() const { return batch * tokens; }
  int64_t lines() const { return batch * heads * tokens; }  ///< rows of scores
  double operations() const { return 4.0 * static_cast<double>(lines() * tokens * width); }
};

/// `part` of the `parts` in each row: of q, k and v, or the only one.
template <class View, class T>
View heads_at(const HeadShape& s, T* rows, int64_t part, int64_t parts) {
  const int64_t row = parts * s.model();
  return {rows == nullptr ? nullptr : rows + part * s.model(), s.tokens, s.tokens * row, row};
}

/// What both directions are told of the shape and of q, k and v.
template <class Arguments, class T>
Arguments arguments_of(const HeadShape& s, const T* qkv) {
  Arguments a;
  a.dtype = sizeof(T) == 4 ? astroclip::DType::f32 : astroclip::DType::bf16;
  a.batch = s.batch;
  a.heads = s.heads;
  a.width = s.width;
  a.q = heads_at<astroclip::HeadsView>(s, qkv, 0, 3);
  a.k = heads_at<astroclip::HeadsView>(s, qkv, 1, 3);
  a.v = heads_at<astroclip::HeadsView>(s, qkv, 2, 3);
  return a;
}

/// `stats`, log Σ exp of the scaled scores [batch, heads, tokens], may be null. Nothing is read or written where a
/// graph is only compiled.
template <class T>
astroclip::AttentionArguments attention_of(const HeadShape& s, const T* qkv, T* y, float* stats) {
  auto a = arguments_of<astroclip::AttentionArguments>(s, qkv);
  a.y = heads_at<astroclip::MutableHeadsView>(s, y, 0, 1);
  if (stats != nullptr) a.log_sum_exp = {stats, {s.batch, s.heads, s.tokens}, astroclip::DType::f32};
  return a;
}

template <class T>
astroclip::AttentionBackwardArguments attention_backward_of(const HeadShape& s, const T* qkv, const T* y, const T* dy,
                                                            const float* stats, T* dqkv) {
  auto a = arguments_of<astroclip::AttentionBackwardArguments>(s, qkv);
  a.y = heads_at<astroclip::HeadsView>(s, y, 0, 1);
  a.dy = heads_at<astroclip::HeadsView>(s, dy, 0, 1);
  a.log_sum_exp = {stats, {s.batch, s.heads, s.tokens}, astroclip::DType::f32};
  a.dq = heads_at<astroclip::MutableHeadsView>(s, dqkv, 0, 3);
  a.dk = heads_at<astroclip::MutableHeadsView>(s, dqkv, 1, 3);
  a.dv = heads_at<astroclip::MutableHeadsView>(s, dqkv, 2, 3);
  return a;
}
