#pragma once

#include <cstdint>

namespace astroclip::map {

/// Widths of rows of codes are multiples of this.
inline constexpr int64_t code_lanes = 32;

/// out[q · rows + r] = Σ queries[q · pitch + i] · codes[r · pitch + i], exact as long as no sum of such products leaves
/// int32. `pitch` is a multiple of code_lanes.
void byte_products(const int8_t* codes, int64_t rows, int64_t pitch, const int16_t* queries, int64_t query_count,
                   int32_t* out);

}  // namespace astroclip::map
