#pragma once

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "tensor/dtype.h"

// What attention in bf16 shares, with AMX and without: operands laid out for products of bf16 pairs.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")
namespace astroclip::cpu::bf16 {

inline constexpr int64_t lanes = 16;
inline constexpr int64_t pair_block = 2 * lanes;  ///< bf16 of a register: 16 pairs

inline int64_t blocks_of(int64_t size) { return (size + lanes - 1) / lanes; }
inline int64_t pairs_of(int64_t size) { return (size + 1) / 2; }

/// Of the next 16 elements, those before the end.
inline __mmask16 valid(int64_t left) {
  return static_cast<__mmask16>(left >= lanes ? 0xFFFF : left <= 0 ? 0 : (1 << left) - 1);
}

/// 16 numbers, those that `present` lacks 0.
inline __m512 load(__mmask16 present, const float* from) { return _mm512_maskz_loadu_ps(present, from); }
inline __m512 load(__mmask16 present, const BFloat16* from) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(present, from)), 16));
}
inline void store(float* to, __mmask16 present, __m512 x) { _mm512_mask_storeu_ps(to, present, x); }
inline void store(BFloat16* to, __mmask16 present, __m512 x) {
  _mm256_mask_storeu_epi16(to, present, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
}

/// 32 numbers, zeros past the end, as bf16.
inline __m512i round_pairs(const BFloat16* from, int64_t left) {
  const auto present = (static_cast<uint32_t>(valid(left - lanes)) << lanes) | valid(left);
  return _mm512_maskz_loadu_epi16(present, from);
}
inline __m512i round_pairs(const float* from, int64_t left) {
  const __m512 low = _mm512_maskz_loadu_ps(valid(left), from);
  const __m512 high = _mm512_maskz_loadu_ps(valid(left - lanes), from + lanes);
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// Two rows of 16 numbers as bf16, element by element: a₀ b₀ a₁ b₁ …
HWY_INLINE __m512i interleave(__m512 a, __m512 b) {
  alignas(64) static constexpr std::array<uint16_t, 2 * lanes> interleaved = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(interleaved.data()),
                                  reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a)));
}

/// Transposes 16 rows of 16 words.
inline void transpose(__m512i (&rows)[lanes]) {
  __m512i t[lanes];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int half = 0; half < 2; ++half) {
      rows[i + 2 * half] = _mm512_unpacklo_epi64(t[i + half], t[i + 2 + half]);
      rows[i + 2 * half + 1] = _mm512_unpackhi_epi64(t[i + half], t[i + 2 + half]);
    }
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i low = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    const __m512i high = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xDD);
    const __m512i next_low = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    const __m512i next_high = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xDD);
    t[i] = _mm512_shuffle_i32x4(low, next_low, 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(high, next_high, 0x88);
    t[i + 8] = _mm512_shuffle_i32x4(low, next_low, 0xDD);
    t[i + 12] = _mm512_shuffle_i32x4(high, next_high, 0xDD);
  }
  for (int i = 0; i < 16; ++i) rows[i] = t[i];
}

/// x [rows, width] to bf16 [blocks of 16 rows][pairs of columns][16 rows][2], the right operand of a product with xᵀ.
/// `pairs` may exceed half the width; past the ends are zeros.
template <class T>
void pack_rows(const T* x, int64_t stride, int64_t rows, int64_t width, BFloat16* packed, int64_t blocks,
               int64_t pairs) {
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t first = 0; first < pairs; first += lanes) {
      __m512i parts[lanes];
      for (int64_t i = 0; i < lanes; ++i) {
        const int64_t row = block * lanes + i;
        parts[i] = row < rows ? round_pairs(x + row * stride + 2 * first, width - 2 * first) : _mm512_setzero_si512();
      }
      transpose(parts);
      for (int64_t i = 0; i < std::min(lanes, pairs - first); ++i) {
        _mm512_storeu_si512(packed + (block * pairs + first + i) * pair_block, parts[i]);
      }
    }
  }
}

/// x [rows, width] to bf16 [blocks of 16 columns][pairs of rows][16 columns][2], the right operand of a product with x.
/// `pairs` may exceed half the rows; past the ends are zeros.
template <class T>
void pack_columns(const T* x, int64_t stride, int64_t rows, int64_t width, BFloat16* packed, int64_t blocks,
                  int64_t pairs) {
  for (int64_t block = 0; block < blocks; ++block) {
    const __mmask16 present = valid(width - block * lanes);
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const T* at = x + 2 * pair * stride + block * lanes;
      const __m512 first = 2 * pair < rows ? load(present, at) : _mm512_setzero_ps();
      const __m512 second = 2 * pair + 1 < rows ? load(present, at + stride) : _mm512_setzero_ps();
      _mm512_storeu_si512(packed + (block * pairs + pair) * pair_block, interleave(first, second));
    }
  }
}

/// 2^z, 0 far below; its series is cut at 2e-6, where weights are rounded to 4e-3. NaN stays NaN.
HWY_INLINE __m512 power_of_two(__m512 z) {
  const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-200.0f), z);
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(bounded, whole);
  __m512 series = _mm512_set1_ps(1.3333558e-3f);  // (ln 2)^k / k!
  for (const float term : {9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f}) {
    series = _mm512_fmadd_ps(series, rest, _mm512_set1_ps(term));
  }
  return _mm512_scalef_ps(series, whole);
}

}  // namespace astroclip::cpu::bf16
HWY_POP_ATTRIBUTES
