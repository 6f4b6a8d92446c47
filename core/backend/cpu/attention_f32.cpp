#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_f32.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "backend/cpu/attention.h"
#include "backend/cpu/attention_strips.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// Queries at once: their sums with two vectors of keys fill the 32 or 16 registers.
constexpr int strip = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

int64_t blocks_of(int64_t size) { return (size + lanes - 1) / lanes; }

/// Keys to [blocks of a vector of keys][dimensions][keys], zeros past the last.
void pack_keys(const float* k, int64_t stride, int64_t keys, int64_t width, float* packed) {
  const hn::FixedTag<float, 4> four;
  for (int64_t first = 0; first < blocks_of(keys) * lanes; first += 4) {
    float* to = packed + first / lanes * lanes * width + first % lanes;
    const float* from = k + first * stride;
    int64_t i = 0;
    if (first + 4 <= keys) {
      for (; i + 4 <= width; i += 4) {
        const auto row0 = hn::LoadU(four, from + i), row1 = hn::LoadU(four, from + stride + i);
        const auto row2 = hn::LoadU(four, from + 2 * stride + i), row3 = hn::LoadU(four, from + 3 * stride + i);
        const auto low02 = hn::InterleaveLower(four, row0, row2), low13 = hn::InterleaveLower(four, row1, row3);
        const auto high02 = hn::InterleaveUpper(four, row0, row2), high13 = hn::InterleaveUpper(four, row1, row3);
        hn::StoreU(hn::InterleaveLower(four, low02, low13), four, to + i * lanes);
        hn::StoreU(hn::InterleaveUpper(four, low02, low13), four, to + (i + 1) * lanes);
        hn::StoreU(hn::InterleaveLower(four, high02, high13), four, to + (i + 2) * lanes);
        hn::StoreU(hn::InterleaveUpper(four, high02, high13), four, to + (i + 3) * lanes);
      }
    }
    for (; i < width; ++i) {
      for (int64_t key = 0; key < 4; ++key) to[i * lanes + key] = first + key < keys ? from[key * stride + i] : 0.0f;
    }
  }
}

/// `rows` rows to [blocks of a vector of columns][rows][columns], zeros past the last column.
void pack_rows(const float* x, int64_t stride, int64_t rows, int64_t width, float* packed) {
  for (int64_t r = 0; r < rows; ++r) {
    sweep(width, [=](int64_t i, int64_t n)
                     HWY_ATTR { hn::StoreU(load(x + r * stride + i, n), Tag(), packed + i * rows + r * lanes); });
  }
}

/// sum[r][c] = Σ over `depth` of row r of a times block c of b. a is [blocks of depth][rows][lanes], so that all its
/// addresses are constants past one pointer; b is [blocks][depth][lanes]. The sums stay in registers.
template <int rows, int blocks>
HWY_INLINE void multiply(const float* a, const float* b, int64_t depth, Vector (&sum)[rows][blocks]) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < blocks; ++c) sum[r][c] = set(0.0f);
  }
  const auto step = [&](const float* left, const float* right) HWY_ATTR {
    Vector of_b[blocks];
    for (int c = 0; c < blocks; ++c) of_b[c] = hn::LoadU(Tag(), right + c * depth * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      const Vector of_a = set(left[r * lanes]);
      for (int c = 0; c < blocks; ++c) sum[r][c] = hn::MulAdd(of_a, of_b[c], sum[r][c]);
    }
  };
  for (int64_t first = 0; first < depth; first += lanes, a += rows * lanes) {
    const int64_t end = std::min(lanes, depth - first);
    for (int64_t i = 0; i < end; ++i, b += lanes) step(a + i, b);
  }
}

/// 2^z for z ≤ 0, and 0 from −127 downwards; NaN stays NaN. The polynomial's relative error is 2e-9.
HWY_INLINE Vector power_of_two(Vector z) {
  const hn::RebindToSigned<Tag> integer;
  // Adding it rounds to a whole number, which then stands in the low bits, 127 above itself like the exponent of a
  // float. Max gives its second operand for a NaN, which the product at the end keeps. At −127 the factor is 0.
  const Vector magic = set(12582912.0f + 127.0f);
  const Vector bounded = hn::Max(set(-127.0f), z);
  const Vector whole = hn::Add(bounded, magic);
  const Vector rest = hn::Sub(bounded, hn::Sub(whole, magic));
  Vector series = set(1.53458118e-4f);
  series = hn::MulAdd(series, rest, set(1.33999314e-3f));
  series = hn::MulAdd(series, rest, set(9.61848896e-3f));
  series = hn::MulAdd(series, rest, set(5.55032878e-2f));
  series = hn::MulAdd(series, rest, set(2.40226469e-1f));
  series = hn::MulAdd(series, rest, set(6.93147206e-1f));
  series = hn::MulAdd(series, rest, set(1.0f));
  return hn::Mul(series, hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::BitCast(integer, whole))));
}

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
  multiply<rows, blocks>(work.q.as<float>(), work.k.as<float>() + block * a.width * lanes, a.width, sum);
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
  multiply<rows, blocks>(work.weights.as<float>(), work.v.as<float>() + block * a.k.tokens * lanes, a.k.tokens, sum);
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
      const float* v = head_of(a.v, batch, head, a.width);
      for (int64_t block = 0; block < blocks_of(a.width); ++block) {
        pack_rows(v + block * lanes, a.v.token_stride, a.k.tokens, std::min(lanes, a.width - block * lanes),
                  work.v.as<float>() + block * a.k.tokens * lanes);
      }
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
