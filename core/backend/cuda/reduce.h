#pragma once

#include "backend/backend.h"

namespace astroclip::cuda {

/// Queues y [width] = the sums of the columns of x [rows, width], which is float32 or bf16. Sums are float64 until the
/// end, over partitions that depend on the sizes alone.
void sum_columns(ConstView x, int64_t rows, int64_t width, float* y);

}  // namespace astroclip::cuda
