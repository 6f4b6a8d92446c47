#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/onednn_product.h"

/// What the gradient of attention in bf16 is made of where there is no AMX. Heads are independent and run one to a
/// thread; within a head the products are serial, over tiles of queries whose scores stay in the second-level cache.
namespace astroclip::cpu {

/// Scores of a tile have rows of this pitch: aligned, whatever the number of keys.
inline int64_t score_pitch(int64_t keys) { return (keys + 15) / 16 * 16; }

/// A serial product of bf16 inside a head. `a` and `c` have the pitches given; b comes packed, or by rows with b_pitch.
inline onednn::ProductSpec head_product(int64_t m, int64_t n, int64_t k, int64_t a_pitch, int64_t b_pitch,
                                        int64_t c_pitch) {
  onednn::ProductSpec spec;
  spec.m = m;
  spec.n = n;
  spec.k = k;
  spec.a_pitch = a_pitch;
  spec.b_pitch = b_pitch;
  spec.c_pitch = c_pitch;
  spec.operand = DType::bf16;
  spec.serial = true;
  return spec;
}

/// The same product for whole tiles and for the shorter last one.
struct TileProducts {
  int64_t tile = 0;  ///< queries of a whole one
  std::shared_ptr<const onednn::Product> whole, last;

  const onednn::Product& of(int64_t rows) const { return rows == tile ? *whole : *last; }
  int64_t scratch_bytes() const {
    return std::max(whole ? whole->scratch_bytes() : 0, last ? last->scratch_bytes() : 0);
  }
};

/// `make(rows)` gives the spec of a tile of so many queries.
template <class Make>
TileProducts tile_products(int64_t queries, int64_t tile, Make make) {
  TileProducts products{tile, nullptr, nullptr};
  if (queries >= tile) products.whole = onednn::product_of(make(tile));
  if (queries % tile != 0) products.last = onednn::product_of(make(queries % tile));
  return products;
}

/// Scores to probabilities exp(scale · score − log_sum_exp), and the gradient of probabilities dp to that of scores:
/// scale · p · (dp − dy·y), with rows of dy and y at their pitches.
void differentiate_tile(float* scores, float* dp, int64_t rows, int64_t keys, double scale, const float* log_sum_exp,
                        const float* dy, int64_t dy_pitch, const float* y, int64_t y_pitch, int64_t width);

}  // namespace astroclip::cpu
