#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "backend/cpu/attention.h"
#include "backend/cpu/attention_bf16-inl.h"
#include "backend/cpu/attention_strips.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

// Attention whose operands are bf16, for processors that multiply bf16 pairs but not tiles of them.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")
namespace astroclip::cpu {

namespace {

using namespace bf16;  // NOLINT(google-build-using-namespace)

constexpr int strip = 12;  ///< queries at once: their sums with two registers of keys fill the file

/// sum[r][b] += Σ over pairs of a's row r times b's block b. The sums stay in registers: `rows` · `blocks` ≤ 24.
template <int rows, int blocks>
HWY_INLINE void multiply(const BFloat16* a, int64_t a_pitch, const BFloat16* b, int64_t block_pitch, int64_t pairs,
                         __m512 (&sum)[rows][blocks]) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < blocks; ++c) sum[r][c] = _mm512_setzero_ps();
  }
  for (int64_t pair = 0; pair < pairs; ++pair) {
    __m512bh right[blocks];
    for (int c = 0; c < blocks; ++c) {
      right[c] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + c * block_pitch + pair * pair_block));
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      float both;  // two bf16, taken as one number so that the broadcast is part of the load
      std::memcpy(&both, a + r * a_pitch + 2 * pair, sizeof both);
      const auto left = reinterpret_cast<__m512bh>(_mm512_set1_ps(both));
      for (int c = 0; c < blocks; ++c) sum[r][c] = _mm512_dpbf16_ps(sum[r][c], left, right[c]);
    }
  }
}

/// Sizes of one head's packed operands and of a strip.
struct Layout {
  explicit Layout(const AttentionArguments& a)
      : keys(a.k.tokens),
        width(a.width),
        score_pitch(blocks_of(a.k.tokens) * lanes),
        query_pitch((a.width + pair_block - 1) / pair_block * pair_block) {}
  int64_t packed_keys() const { return blocks_of(keys) * pairs_of(width) * pair_block; }
  int64_t packed_values() const { return blocks_of(width) * pairs_of(keys) * pair_block; }

  int64_t keys, width, score_pitch, query_pitch;
};

/// One thread's buffers.
struct Workspace {
  explicit Workspace(const Layout& layout)
      : k(layout.packed_keys() * size_of(DType::bf16)),
        v(layout.packed_values() * size_of(DType::bf16)),
        q(strip * layout.query_pitch * size_of(DType::bf16)),
        scores(strip * layout.score_pitch * size_of(DType::f32)),
        weights(strip * layout.score_pitch * size_of(DType::bf16)) {}
  Scratch k, v, q, scores, weights;
};

/// Scores of `blocks` blocks of keys, −∞ past the last key, and their largest by lanes.
template <int rows, int blocks>
HWY_INLINE void score(const Layout& layout, const Workspace& work, int64_t block, __m512 (&top)[rows]) {
  const int64_t pairs = pairs_of(layout.width);
  __m512 sum[rows][blocks];
  multiply<rows, blocks>(work.q.as<BFloat16>(), layout.query_pitch, work.k.as<BFloat16>() + block * pairs * pair_block,
                         pairs * pair_block, pairs, sum);
  const __m512 nothing = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  for (int c = 0; c < blocks; ++c) {
    const __mmask16 present = valid(layout.keys - (block + c) * lanes);
    for (int r = 0; r < rows; ++r) {
      const __m512 found = _mm512_mask_blend_ps(present, nothing, sum[r][c]);
      _mm512_storeu_ps(work.scores.as<float>() + r * layout.score_pitch + (block + c) * lanes, found);
      top[r] = _mm512_max_ps(top[r], found);
    }
  }
}

/// y of `blocks` blocks of dimensions from the strip's weights.
template <int rows, int blocks>
HWY_INLINE void mix(const Layout& layout, const Workspace& work, int64_t block, const float (&inverse)[rows],
                    const Strip<float>& at) {
  const int64_t pairs = pairs_of(layout.keys);
  __m512 sum[rows][blocks];
  multiply<rows, blocks>(work.weights.as<BFloat16>(), layout.score_pitch,
                         work.v.as<BFloat16>() + block * pairs * pair_block, pairs * pair_block, pairs, sum);
  for (int c = 0; c < blocks; ++c) {
    const int64_t column = (block + c) * lanes;
    for (int r = 0; r < rows; ++r) {
      // Dividing here costs `width` operations a row instead of one for each key.
      _mm512_mask_storeu_ps(at.y + r * at.y_stride + column, valid(layout.width - column),
                            _mm512_mul_ps(sum[r][c], _mm512_set1_ps(inverse[r])));
    }
  }
}

template <int rows>
void attend_strip(const Layout& layout, const Workspace& work, double scale, const Strip<float>& at) {
  auto *q = work.q.as<BFloat16>(), *weights = work.weights.as<BFloat16>();
  for (int r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < layout.query_pitch; i += pair_block) {
      _mm512_storeu_si512(q + r * layout.query_pitch + i, round_pairs(at.q + r * at.q_stride + i, layout.width - i));
    }
  }
  __m512 top[rows];
  for (__m512& each : top) each = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  const int64_t key_blocks = blocks_of(layout.keys), columns = blocks_of(layout.width);
  int64_t block = 0;
  for (; block + 2 <= key_blocks; block += 2) score<rows, 2>(layout, work, block, top);
  if (block < key_blocks) score<rows, 1>(layout, work, block, top);

  float inverse[rows];
  const __m512 factor = _mm512_set1_ps(static_cast<float>(scale / std::log(2.0)));
  for (int r = 0; r < rows; ++r) {
    const float largest = _mm512_reduce_max_ps(top[r]);
    const __m512 shift = _mm512_set1_ps(largest);
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = r * layout.score_pitch; i < (r + 1) * layout.score_pitch; i += lanes) {
      const __m512 below = _mm512_sub_ps(_mm512_loadu_ps(work.scores.as<float>() + i), shift);
      const __m512 weight = power_of_two(_mm512_mul_ps(below, factor));
      sum = _mm512_add_ps(sum, weight);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(weights + i),
                          reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(weight)));
    }
    const float total = _mm512_reduce_add_ps(sum);
    inverse[r] = 1.0f / total;
    if (at.log_sum_exp != nullptr) at.log_sum_exp[r] = static_cast<float>(largest * scale + std::log(total));
  }

  int64_t column = 0;
  for (; column + 2 <= columns; column += 2) mix<rows, 2>(layout, work, column, inverse, at);
  if (column < columns) mix<rows, 1>(layout, work, column, inverse, at);
}

/// attend_strip for 1 to `strip` queries.
template <int... rows>
constexpr auto strips_of(std::integer_sequence<int, rows...>) {
  return std::array{&attend_strip<rows + 1>...};
}
constexpr auto strips = strips_of(std::make_integer_sequence<int, strip>());

void attend_head(const AttentionArguments& a, const Layout& layout, const Workspace& work, int64_t unit) {
  const int64_t batch = unit / a.heads, head = unit % a.heads;
  pack_rows(head_of(a.k, batch, head, a.width), a.k.token_stride, layout.keys, layout.width, work.k.as<BFloat16>(),
            blocks_of(layout.keys), pairs_of(layout.width));
  pack_columns(head_of(a.v, batch, head, a.width), a.v.token_stride, layout.keys, layout.width, work.v.as<BFloat16>(),
               blocks_of(layout.width), pairs_of(layout.keys));
  for_each_strip<float>(a, unit, strip, [&](int64_t rows, const Strip<float>& at) {
    strips[static_cast<size_t>(rows - 1)](layout, work, a.scale, at);
  });
}

}  // namespace

void attention_bf16(const AttentionArguments& a) {
  const Layout layout(a);
  const auto attend = [&](const Workspace& work, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) attend_head(a, layout, work, unit);
  };
  parallel_with<Workspace>(a.batch * a.heads, forward_grain(a), attend, layout);
}

}  // namespace astroclip::cpu
HWY_POP_ATTRIBUTES
