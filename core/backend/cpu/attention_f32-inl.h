// What attention in float32 shares, forward and backward.
#if defined(ASTROCLIP_BACKEND_CPU_ATTENTION_F32_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ASTROCLIP_BACKEND_CPU_ATTENTION_F32_INL_H
#undef ASTROCLIP_BACKEND_CPU_ATTENTION_F32_INL_H
#else
#define ASTROCLIP_BACKEND_CPU_ATTENTION_F32_INL_H
#endif

#include <algorithm>
#include <cstdint>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

/// Queries at once: their sums with two vectors of keys fill the 32 or 16 registers.
inline constexpr int strip = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

HWY_INLINE int64_t blocks_of(int64_t size) { return (size + lanes - 1) / lanes; }

/// Keys to [blocks of a vector of keys][dimensions][keys], zeros past the last.
HWY_INLINE void pack_keys(const float* k, int64_t stride, int64_t keys, int64_t width, float* packed) {
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
HWY_INLINE void pack_rows(const float* x, int64_t stride, int64_t rows, int64_t width, float* packed) {
  for (int64_t r = 0; r < rows; ++r) {
    sweep(width, [=](int64_t i, int64_t n)
                     HWY_ATTR { hn::StoreU(load(x + r * stride + i, n), Tag(), packed + i * rows + r * lanes); });
  }
}

/// The same a block after the other, each filled up with zeros to `tile` rows.
HWY_INLINE void pack_tile(const float* x, int64_t stride, int64_t rows, int64_t tile, int64_t width, float* packed) {
  for (int64_t column = 0; column < width; column += lanes, packed += tile * lanes) {
    pack_rows(x + column, stride, rows, std::min(lanes, width - column), packed);
    std::fill(packed + rows * lanes, packed + tile * lanes, 0.0f);
  }
}

/// sum[r][c] = Σ over `depth` of row r of a times block c of b. a is [blocks of depth][a_rows][lanes], so that all its
/// addresses are constants past one pointer; b is [blocks][depth][lanes]. The sums stay in registers.
template <int rows, int blocks>
HWY_INLINE void multiply(const float* a, int64_t a_rows, const float* b, int64_t depth, Vector (&sum)[rows][blocks]) {
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
  for (int64_t first = 0; first < depth; first += lanes, a += a_rows * lanes) {
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

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
