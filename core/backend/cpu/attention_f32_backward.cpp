#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_f32_backward.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/attention.h"
#include "backend/cpu/attention_f32-inl.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// Keys at once in sums over queries.
constexpr int few_keys = static_cast<int>(std::max<int64_t>(1, lanes / 2));

/// Queries of a tile, whose scores stay in the second-level cache: whole strips, the tiles as even as can be.
int64_t queries_of_tile(int64_t queries, int64_t keys) {
  constexpr int64_t scores = 1 << 16;
  const int64_t most = std::clamp<int64_t>(scores / keys, strip, 16 * strip);
  const int64_t tiles = (queries + most - 1) / most, even = (queries + tiles - 1) / tiles;
  return (even + strip - 1) / strip * strip;
}

/// One thread's buffers. A row of queries is one of the tile; blocks are of a vector.
struct GradientWorkspace {
  GradientWorkspace(int64_t tile, int64_t keys, int64_t width)
      : k_across(bytes_of(blocks_of(keys), width)),
        v_across(bytes_of(blocks_of(keys), width)),
        k_along(bytes_of(blocks_of(width), keys)),
        q(bytes_of(blocks_of(width), tile)),
        dy(bytes_of(blocks_of(width), tile)),
        p(bytes_of(blocks_of(keys), tile)),
        ds(bytes_of(blocks_of(keys), tile)) {}
  static int64_t bytes_of(int64_t blocks, int64_t rows) { return blocks * rows * lanes * size_of(DType::f32); }
  Scratch k_across, v_across;  ///< [blocks of keys][dimensions][keys]
  Scratch k_along;             ///< [blocks of dimensions][keys][dimensions]
  Scratch q, dy;               ///< [blocks of dimensions][queries][dimensions]
  Scratch p, ds;               ///< [blocks of keys][queries][keys]
};

/// One head's pointers to its first token.
struct Head {
  Head(const AttentionBackwardArguments& a, int64_t unit) : Head(a, unit / a.heads, unit % a.heads) {
    log_sum_exp = a.log_sum_exp.as<float>() + unit * a.q.tokens;
  }
  const float *q, *k, *v, *y, *dy, *log_sum_exp = nullptr;
  float *dq, *dk, *dv;

 private:
  Head(const AttentionBackwardArguments& a, int64_t batch, int64_t head)
      : q(head_of(a.q, batch, head, a.width)),
        k(head_of(a.k, batch, head, a.width)),
        v(head_of(a.v, batch, head, a.width)),
        y(head_of(a.y, batch, head, a.width)),
        dy(head_of(a.dy, batch, head, a.width)),
        dq(head_of(a.dq, batch, head, a.width)),
        dk(head_of(a.dk, batch, head, a.width)),
        dv(head_of(a.dv, batch, head, a.width)) {}
};

/// Products of a strip of `x` with `blocks` blocks of keys of `across`, to `scores`.
template <int blocks>
HWY_INLINE void score(const float* x, int64_t tile, const float* across, int64_t width, float* scores) {
  Vector sum[strip][blocks];
  multiply<strip, blocks>(x, tile, across, width, sum);
  for (int c = 0; c < blocks; ++c) {
    for (int r = 0; r < strip; ++r) hn::StoreU(sum[r][c], Tag(), scores + (c * tile + r) * lanes);
  }
}

void score_strip(const float* x, int64_t tile, const float* across, int64_t width, int64_t blocks, float* scores) {
  int64_t block = 0;
  for (; block + 2 <= blocks; block += 2) {
    score<2>(x, tile, across + block * width * lanes, width, scores + block * tile * lanes);
  }
  if (block < blocks) score<1>(x, tile, across + block * width * lanes, width, scores + block * tile * lanes);
}

/// dq of a strip, of which `rows` exist: its gradients of scores times keys, in `blocks` blocks of dimensions.
template <int blocks>
HWY_INLINE void spread(const float* ds, int64_t tile, const float* along, int64_t keys, int64_t rows, int64_t width,
                       float* dq, int64_t stride) {
  Vector sum[strip][blocks];
  multiply<strip, blocks>(ds, tile, along, keys, sum);
  for (int r = 0; r < strip; ++r) {
    if (r >= rows) break;
    for (int c = 0; c < blocks; ++c) {
      store(sum[r][c], dq + r * stride + c * lanes, std::min(lanes, width - c * lanes));
    }
  }
}

/// Probabilities and gradients of scores of a strip from row `row` of the tile, which is query `query` of the head;
/// then its dq. With p = exp(scale · q·k − log_sum_exp): ds = scale · p · (dy·v − dy·y).
void differentiate_strip(const AttentionBackwardArguments& a, const Head& head, const GradientWorkspace& work,
                         int64_t tile, int64_t row, int64_t query) {
  const int64_t blocks = blocks_of(a.k.tokens), rows = std::min<int64_t>(strip, a.q.tokens - query);
  float *p = work.p.as<float>() + row * lanes, *ds = work.ds.as<float>() + row * lanes;
  score_strip(work.q.as<float>() + row * lanes, tile, work.k_across.as<float>(), a.width, blocks, p);
  score_strip(work.dy.as<float>() + row * lanes, tile, work.v_across.as<float>(), a.width, blocks, ds);
  const Vector scale = set(static_cast<float>(a.scale));
  const Vector factor = set(static_cast<float>(a.scale / std::log(2.0)));
  for (int64_t r = 0; r < strip; ++r) {
    const bool there = r < rows;  // past the last query the probabilities are 0
    const Vector shift = set(there ? head.log_sum_exp[query + r] * static_cast<float>(1.0 / std::log(2.0))
                                   : std::numeric_limits<float>::infinity());
    const Vector weighted =
        set(there ? dot(head.dy + (query + r) * a.dy.token_stride, head.y + (query + r) * a.y.token_stride, a.width)
                  : 0.0f);
    for (int64_t c = 0; c < blocks; ++c) {
      const int64_t at = (c * tile + r) * lanes;
      const Vector weight = power_of_two(hn::MulSub(hn::LoadU(Tag(), p + at), factor, shift));
      hn::StoreU(weight, Tag(), p + at);
      hn::StoreU(hn::Mul(hn::Mul(weight, scale), hn::Sub(hn::LoadU(Tag(), ds + at), weighted)), Tag(), ds + at);
    }
  }
  int64_t column = 0;
  const auto dq_of = [&](auto count) {
    spread<count>(ds, tile, work.k_along.as<float>() + column * a.k.tokens, a.k.tokens, rows, a.width - column,
                  head.dq + query * a.dq.token_stride + column, a.dq.token_stride);
    column += count * lanes;
  };
  while (column + lanes < a.width) dq_of(std::integral_constant<int, 2>());
  if (column < a.width) dq_of(std::integral_constant<int, 1>());
}

/// Sums over `queries` rows: of `weights` for few_keys keys, of which `keys` exist, times `blocks` blocks of x. Given
/// to `out`, or added to it.
template <int blocks>
HWY_INLINE void gather(const float* weights, const float* x, int64_t tile, int64_t queries, int64_t keys, int64_t width,
                       bool adds, float* out, int64_t stride) {
  Vector sum[few_keys][blocks];
  for (int r = 0; r < few_keys; ++r) {
    for (int c = 0; c < blocks; ++c) sum[r][c] = set(0.0f);
  }
  for (int64_t i = 0; i < queries; ++i, weights += lanes, x += lanes) {
    Vector of_x[blocks];
    for (int c = 0; c < blocks; ++c) of_x[c] = hn::LoadU(Tag(), x + c * tile * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < few_keys; ++r) {
      const Vector weight = set(weights[r]);
      for (int c = 0; c < blocks; ++c) sum[r][c] = hn::MulAdd(weight, of_x[c], sum[r][c]);
    }
  }
  for (int r = 0; r < few_keys; ++r) {
    if (r >= keys) break;
    for (int c = 0; c < blocks; ++c) {
      float* to = out + r * stride + c * lanes;
      const int64_t count = std::min(lanes, width - c * lanes);
      store(adds ? hn::Add(sum[r][c], load(to, count)) : sum[r][c], to, count);
    }
  }
}

/// A tile's share of dk or dv: its gradients of scores times queries, or its probabilities times dy.
void gather_tile(const float* weights, const float* x, int64_t tile, int64_t queries, int64_t keys, int64_t width,
                 bool adds, float* out, int64_t stride) {
  for (int64_t key = 0; key < keys; key += few_keys) {
    const float* from = weights + key / lanes * tile * lanes + key % lanes;
    int64_t column = 0;
    const auto sum_of = [&](auto count) {
      gather<count>(from, x + column * tile, tile, queries, keys - key, width - column, adds,
                    out + key * stride + column, stride);
      column += count * lanes;
    };
    while (column + lanes < width) sum_of(std::integral_constant<int, 2>());
    if (column < width) sum_of(std::integral_constant<int, 1>());
  }
}

void differentiate_head(const AttentionBackwardArguments& a, const GradientWorkspace& work, int64_t tile,
                        int64_t unit) {
  const Head head(a, unit);
  pack_keys(head.k, a.k.token_stride, a.k.tokens, a.width, work.k_across.as<float>());
  pack_keys(head.v, a.v.token_stride, a.v.tokens, a.width, work.v_across.as<float>());
  pack_tile(head.k, a.k.token_stride, a.k.tokens, a.k.tokens, a.width, work.k_along.as<float>());
  for (int64_t begin = 0; begin < a.q.tokens; begin += tile) {
    const int64_t queries = std::min(tile, a.q.tokens - begin);
    const auto *q = work.q.as<float>(), *dy = work.dy.as<float>();
    pack_tile(head.q + begin * a.q.token_stride, a.q.token_stride, queries, tile, a.width, work.q.as<float>());
    pack_tile(head.dy + begin * a.dy.token_stride, a.dy.token_stride, queries, tile, a.width, work.dy.as<float>());
    for (int64_t row = 0; row < queries; row += strip) differentiate_strip(a, head, work, tile, row, begin + row);
    const bool adds = begin > 0;
    gather_tile(work.p.as<float>(), dy, tile, queries, a.k.tokens, a.width, adds, head.dv, a.dv.token_stride);
    gather_tile(work.ds.as<float>(), q, tile, queries, a.k.tokens, a.width, adds, head.dk, a.dk.token_stride);
  }
}

void differentiate(const AttentionBackwardArguments& a) {
  const int64_t tile = queries_of_tile(a.q.tokens, a.k.tokens);
  const auto heads = [&](const GradientWorkspace& work, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) differentiate_head(a, work, tile, unit);
  };
  parallel_with<GradientWorkspace>(a.batch * a.heads, backward_grain(a), heads, tile, a.k.tokens, a.width);
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(differentiate);

void attention_f32_backward(const AttentionBackwardArguments& a) { HWY_DYNAMIC_DISPATCH(differentiate)(a); }

}  // namespace astroclip::cpu
#endif
