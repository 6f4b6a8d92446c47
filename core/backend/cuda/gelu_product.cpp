#include "backend/cuda/gelu_product.h"

#include <fmt/format.h>

#include <limits>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "backend/cuda/choice.h"
#include "backend/cuda/gelu_product_kernel.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

/// For measurements: ASTROCLIP_CUDA_GELU=separate leaves the kernel out.
bool is_left_out() {
  static const bool chosen = choice("ASTROCLIP_CUDA_GELU") == "separate";
  return chosen;
}

/// A function of the driver, which the backend is not linked with.
auto encode_function() {
  static const auto function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result;
    constexpr unsigned version = 12000;
    ASTROCLIP_CUDA(
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, version, cudaEnableDefault, &result));
    if (found == nullptr) throw Error("[cuda] the driver lacks cuTensorMapEncodeTiled");
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(found);
  }();
  return function;
}

/// Tiles of `rows` rows and 128 bytes of a bf16 matrix.
CUtensorMap tiles_of(const ConstView& matrix, int rows) {
  CUtensorMap map;
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(matrix.shape[1]), static_cast<cuuint64_t>(matrix.shape[0])};
  const cuuint64_t pitch = extents[0] * sizeof(uint16_t);
  const cuuint32_t tile[] = {GeluTiles::depth, static_cast<cuuint32_t>(rows)}, every[] = {1, 1};
  const CUresult status =
      encode_function()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(matrix.data), extents, &pitch,
                        tile, every, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw Error(fmt::format("[cuda] cuTensorMapEncodeTiled: error {}", static_cast<int>(status)));
  }
  return map;
}

}  // namespace

bool try_gelu_product(const ConstView& x, const ConstView& weight, const float* bias, const View& y) {
  constexpr int64_t least = 64 * GeluTiles::rows * GeluTiles::columns * 2;  // smaller ones leave part of the card idle
  const int64_t rows = x.shape[0], in = x.shape[1], out = weight.shape[0];
  if (is_left_out() || rows * out < least || rows > std::numeric_limits<int>::max()) return false;
  queue_gelu_product({.x = tiles_of(x, GeluTiles::load_rows),
                      .weight = tiles_of(weight, GeluTiles::columns),
                      .y = tiles_of({y.data, {rows, out}, y.dtype}, GeluTiles::store_rows)},
                     bias, rows, out, in);
  return true;
}

}  // namespace astroclip::cuda
