#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_f32.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "backend/cpu/attention.h"
#include "backend/cpu/attention_f32-inl.h"
#include "backend/cpu/attention_strips.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// One thread's buffers.
struct Workspace {
  Workspace(int64_t keys, int64_t width)
      : k(blocks_of(keys) * width * lanes * size_of(DType::f32)),
        v(blocks_of(width) * keys * lanes * size_of(DType::f32)),
        q(strip * blocks_of(width) * lanes * size_of(DType::f32)),
        weights(strip * blocks_of(keys) * lanes * size_of(DType::f32)) {}
  Scratch k, v, q, weights;
};

/// Scores of `blocks` blocks of keys, −∞ past the last key, and their largest by lanes.
template <int rows, int blocks>
HWY_INLINE void score(const AttentionArguments& a, const Workspace& work, int64_t block, Vector (&top)[rows]) {
  Vector sum[rows][blocks];
  multiply<rows, blocks>(work.q.as<float>(), rows, work.k.as<float>() + block * a.width * lanes, a.width, sum);
  const Vector nothing = set(-std::numeric_limits<float>::infinity());
  for (int c = 0; c < blocks; ++c) {
    const int64_t left = a.k.tokens - (block + c) * lanes;
    const auto present = hn::FirstN(Tag(), static_cast<size_t>(std::min(left, lanes)));
    for (int r = 0; r < rows; ++r) {
      const Vector found = hn::IfThenElse(present, sum[r][c], nothing);
      hn::StoreU(found, Tag(), work.weights.as<float>() + ((block + c) * rows + r) * lanes);
      top[r] = hn::Max(top[r], found);
    }
  }
}

/// y of `blocks` blocks of dimensions from the strip's weights.
template <int rows, int blocks>
HWY_INLINE void mix(const AttentionArguments& a, const Workspace& work, int64_t block, const float (&inverse)[rows],
                    const Strip<float>& at) {
  Vector sum[rows][blocks];
  multiply<rows, blocks>(work.weights.as<float>(), rows, work.v.as<float>() + block * a.k.tokens * lanes, a.k.tokens,
                         sum);
  for (int c = 0; c < blocks; ++c) {
    const int64_t column = (block + c) * lanes;
    for (int r = 0; r < rows; ++r) {
      // Dividing here costs `width` operations a row instead of one for each key.
      store(hn::Mul(sum[r][c], set(inverse[r])), at.y + r * at.y_stride + column, std::min(lanes, a.width - column));
    }
  }
}

template <int rows>
void attend_strip(const AttentionArguments& a, const Workspace& work, const Strip<float>& at) {
  pack_rows(at.q, at.q_stride, rows, a.width, work.q.as<float>());
  Vector top[rows];
  for (Vector& each : top) each = set(-std::numeric_limits<float>::infinity());
  const int64_t key_blocks = blocks_of(a.k.tokens), columns = blocks_of(a.width);
  int64_t block = 0;
  for (; block + 2 <= key_blocks; block += 2) score<rows, 2>(a, work, block, top);
  if (block < key_blocks) score<rows, 1>(a, work, block, top);

  float inverse[rows];
  const Vector factor = set(static_cast<float>(a.scale / std::log(2.0)));
  for (int r = 0; r < rows; ++r) {
    const float largest = hn::GetLane(hn::MaxOfLanes(Tag(), top[r]));
    const Vector shift = set(largest);
    Vector sum = set(0.0f);
    float* row = work.weights.as<float>() + r * lanes;
    for (int64_t c = 0; c < key_blocks; ++c) {
      float* weights = row + c * rows * lanes;
      const Vector weight = power_of_two(hn::Mul(hn::Sub(hn::LoadU(Tag(), weights), shift), factor));
      sum = hn::Add(sum, weight);
      hn::StoreU(weight, Tag(), weights);
    }
    const float total = hn::GetLane(hn::SumOfLanes(Tag(), sum));
    inverse[r] = 1.0f / total;
    if (at.log_sum_exp != nullptr) at.log_sum_exp[r] = static_cast<float>(largest * a.scale + std::log(total));
  }

  int64_t column = 0;
  for (; column + 2 <= columns; column += 2) mix<rows, 2>(a, work, column, inverse, at);
  if (column < columns) mix<rows, 1>(a, work, column, inverse, at);
}

/// attend_strip for 1 to `strip` queries.
template <int... rows>
constexpr auto strips_of(std::integer_sequence<int, rows...>) {
  return std::array{&attend_strip<rows + 1>...};
}
constexpr auto strips = strips_of(std::make_integer_sequence<int, strip>());

void attend(const AttentionArguments& a) {
  const auto heads = [&](const Workspace& work, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t batch = unit / a.heads, head = unit % a.heads;
      pack_keys(head_of(a.k, batch, head, a.width), a.k.token_stride, a.k.tokens, a.width, work.k.as<float>());
      pack_tile(head_of(a.v, batch, head, a.width), a.v.token_stride, a.k.tokens, a.k.tokens, a.width,
                work.v.as<float>());
      for_each_strip<float>(a, unit, strip, [&](int64_t rows, const Strip<float>& at) {
        strips[static_cast<size_t>(rows - 1)](a, work, at);
      });
    }
  };
  parallel_with<Workspace>(a.batch * a.heads, forward_grain(a), heads, a.k.tokens, a.width);
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(attend);

void attention_f32(const AttentionArguments& a) { HWY_DYNAMIC_DISPATCH(attend)(a); }

}  // namespace astroclip::cpu
#endif
