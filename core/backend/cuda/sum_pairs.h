#pragma once

#include <cstdint>

namespace astroclip::cuda {

/// a[g] and b[g] [width] = Σ over parts of partial [groups, parts, 2, width], in a fixed order.
void sum_pairs(const float* partial, int64_t groups, int64_t parts, int64_t width, float* a, float* b);

}  // namespace astroclip::cuda
