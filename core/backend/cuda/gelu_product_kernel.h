#pragma once

#include <cuda.h>

#include <cstdint>

namespace astroclip::cuda {

/// Tiles of a product with GELU at its end.
struct GeluTiles {
  static constexpr int rows = 192, columns = 128;              ///< of y, for a block
  static constexpr int depth = 64;                             ///< columns of x and weight at a time
  static constexpr int load_rows = rows / 2, store_rows = 16;  ///< of x for one copy, of y for one copy
  CUtensorMap x, weight, y;                                    ///< tiles of load_rows, columns and store_rows rows
};

/// Queues the kernel. The bias may be null.
void queue_gelu_product(const GeluTiles& tiles, const float* bias, int64_t rows, int64_t out, int64_t in);

}  // namespace astroclip::cuda
