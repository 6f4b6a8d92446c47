#pragma once

#include <hwy/base.h>

#include <cstdint>

#include "backend/cpu/attention_bf16-inl.h"

// Products of bf16 by tiles of 16 rows, on processors with AMX.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")
namespace astroclip::cpu::amx {

using bf16::lanes;

inline constexpr int64_t square = 32;  ///< rows and columns of a product at once, and terms of a tile product
inline constexpr int64_t step_of_b = 16 * square;  ///< elements of a packed b for 32 terms and 16 columns

inline int64_t padded(int64_t size) { return (size + square - 1) / square * square; }

/// The tile registers of this thread, each 16 rows of 64 bytes, for the lifetime of the object.
class Tiles {
 public:
  Tiles() {
    struct alignas(64) Configuration {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static const Configuration whole;
    _tile_loadconfig(&whole);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

/// A left operand by rows, `pitch` elements apart; `step` elements on are the next 32 terms, `lower` on rows 16 to 31.
struct Left {
  const BFloat16* data;
  int64_t pitch;
  int64_t step = square, lower = lanes * pitch;
};
/// A right operand as pack_rows and pack_columns give it: blocks of 16 columns, `pitch` elements apart.
struct Right {
  const BFloat16* data;
  int64_t pitch;
};

/// c [32, 32] = a b, or += a b, over `terms`, a multiple of 32.
HWY_INLINE void multiply(const Left& a, const Right& b, int64_t terms, float* c, int64_t c_pitch, bool accumulate) {
  const int64_t a_stride = a.pitch * size_of(DType::bf16), c_stride = c_pitch * size_of(DType::f32);
  float* lower = c + lanes * c_pitch;
  asm volatile("" ::: "memory");  // GCC's tile loads do not say that they read memory
  if (accumulate) {
    _tile_loadd(0, c, c_stride);
    _tile_loadd(1, c + lanes, c_stride);
    _tile_loadd(2, lower, c_stride);
    _tile_loadd(3, lower + lanes, c_stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const BFloat16 *left = a.data, *right = b.data;
  for (int64_t i = 0; i < terms; i += square, left += a.step, right += step_of_b) {
    _tile_loadd(4, left, a_stride);
    _tile_loadd(6, right, 64);
    _tile_loadd(7, right + b.pitch, 64);
    _tile_loadd(5, left + a.lower, a_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_stride);
  _tile_stored(1, c + lanes, c_stride);
  _tile_stored(2, lower, c_stride);
  _tile_stored(3, lower + lanes, c_stride);
}

/// x [rows, width] as bf16 [to_rows, pitch], zeros past the ends.
template <class T>
void round_rows(const T* x, int64_t stride, int64_t rows, int64_t width, BFloat16* y, int64_t to_rows, int64_t pitch) {
  for (int64_t row = 0; row < to_rows; ++row) {
    for (int64_t i = 0; i < pitch; i += square) {
      _mm512_storeu_si512(y + row * pitch + i,
                          row < rows ? bf16::round_pairs(x + row * stride + i, width - i) : _mm512_setzero_si512());
    }
  }
}

/// x [rows, width] to bf16 [to_columns, pitch], transposed, zeros past the ends.
template <class T>
void round_transposed(const T* x, int64_t stride, int64_t rows, int64_t width, BFloat16* y, int64_t to_columns,
                      int64_t pitch) {
  for (int64_t column = 0; column < to_columns; column += lanes) {
    const __mmask16 present = bf16::valid(width - column);
    for (int64_t row = 0; row < pitch; row += square) {
      __m512i part[2][lanes];
      for (int64_t i = 0; i < square; ++i) {
        part[i / lanes][i % lanes] = row + i < rows
                                         ? _mm512_castps_si512(bf16::load(present, x + (row + i) * stride + column))
                                         : _mm512_setzero_si512();
      }
      bf16::transpose(part[0]);
      bf16::transpose(part[1]);
      for (int64_t i = 0; i < lanes; ++i) {
        const auto both = _mm512_cvtne2ps_pbh(_mm512_castsi512_ps(part[1][i]), _mm512_castsi512_ps(part[0][i]));
        _mm512_storeu_si512(y + (column + i) * pitch + row, reinterpret_cast<__m512i>(both));
      }
    }
  }
}

}  // namespace astroclip::cpu::amx
HWY_POP_ATTRIBUTES
