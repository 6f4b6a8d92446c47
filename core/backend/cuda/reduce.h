#pragma once

#include "backend/backend.h"

namespace astroclip::cuda {

/// Queues y [width] = the sums of the columns of x [rows, width], which is float32 or bf16. Sums are float64 until the
/// end, over partitions that depend on the sizes alone.
void sum_columns(ConstView x, int64_t rows, int64_t width, float* y);

/// An array in pieces of equal length, of which blocks take one each.
struct Pieces {
  int64_t length, count;
};
/// At least `least` elements, a multiple of 4, in a piece; `blocks` is how many blocks there are for one piece.
Pieces pieces_of(int64_t size, int64_t least, int64_t blocks);

}  // namespace astroclip::cuda
