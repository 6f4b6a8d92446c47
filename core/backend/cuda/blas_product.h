#pragma once

#include <cublasLt.h>

#include <memory>
#include <type_traits>
#include <vector>

#include "backend/cuda/product.h"

namespace astroclip::cuda {

/// What a product by cuBLASLt runs with.
struct BlasQueue {
  cublasLtHandle_t library = nullptr;
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;  ///< BlasProduct::workspace_bytes of the card's memory
};

/// A product as cuBLASLt describes it. The library is column-major, so it is asked for yᵀ = op(b)ᵀ op(a)ᵀ: its A is our
/// b, and its bias runs along our columns.
class BlasProduct {
 public:
  static constexpr size_t workspace_bytes = size_t{64} << 20;

  /// `alignment` is that of all matrices in bytes.
  BlasProduct(const ProductSpec& spec, uint32_t alignment);
  /// The library's proposals, the likeliest first, but for those that sum in an order of chance or round to TF32.
  std::vector<cublasLtMatmulAlgo_t> algorithms(cublasLtHandle_t library, const ProductOperands& operands) const;
  cublasStatus_t run(const cublasLtMatmulAlgo_t& algorithm, const ProductOperands& operands,
                     const BlasQueue& queue) const;

 private:
  struct Destroy {
    void operator()(cublasLtMatmulDesc_t x) const { (void)cublasLtMatmulDescDestroy(x); }
    void operator()(cublasLtMatrixLayout_t x) const { (void)cublasLtMatrixLayoutDestroy(x); }
    void operator()(cublasLtMatmulPreference_t x) const { (void)cublasLtMatmulPreferenceDestroy(x); }
  };
  template <class Handle>
  using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) const;
  Owned<cublasLtMatrixLayout_t> layout(DType dtype, int64_t rows, int64_t columns) const;

  ProductSpec spec_;
  uint32_t alignment_;
  Owned<cublasLtMatmulDesc_t> operation_;
  Owned<cublasLtMatrixLayout_t> a_, b_, y_;
};

}  // namespace astroclip::cuda
