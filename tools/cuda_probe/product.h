// The backend's products by cuBLASLt with operands of their own, and a search over the algorithms.
#pragma once

#include "backend/cuda/blas_product.h"
#include "device.h"

using astroclip::DType;
using astroclip::cuda::BlasProduct;
using astroclip::cuda::ProductOperands;
using astroclip::cuda::ProductSpec;

/// y [rows, out] = x [rows, in] · weightᵀ in bf16.
inline ProductSpec forward_product(int64_t rows, int64_t out, int64_t in) {
  return {.m = rows, .n = out, .k = in, .transpose_b = true, .operand = DType::bf16, .result = DType::bf16};
}
/// dx [rows, in] = dy [rows, out] · weight in bf16.
inline ProductSpec input_gradient(int64_t rows, int64_t in, int64_t out) {
  return {.m = rows, .n = in, .k = out, .operand = DType::bf16, .result = DType::bf16};
}
/// dweight [out, in] = dyᵀ x in float, from bf16.
inline ProductSpec weight_gradient(int64_t out, int64_t in, int64_t rows) {
  return {.m = out, .n = in, .k = rows, .transpose_a = true, .operand = DType::bf16, .result = DType::f32};
}
inline double operations(const ProductSpec& s) { return 2.0 * static_cast<double>(s.m * s.n * s.k * s.batch); }

/// The library with its workspace. One product runs at a time.
class Blas {
 public:
  explicit Blas(cudaStream_t stream = nullptr) : stream_(stream) { check(cublasLtCreate(&handle_)); }
  Blas(const Blas&) = delete;
  ~Blas() { cublasLtDestroy(handle_); }
  cudaStream_t stream() const { return stream_; }
  astroclip::cuda::BlasQueue queue() const { return {handle_, stream_, workspace_.get()}; }

 private:
  cublasLtHandle_t handle_ = nullptr;
  cudaStream_t stream_;
  Workspace workspace_{static_cast<int64_t>(BlasProduct::workspace_bytes)};
};

class Product {
 public:
  Product(const Blas& blas, const ProductSpec& spec, const ProductOperands& operands)
      : blas_(&blas), product_(spec, 256), operands_(operands) {}

  /// The heuristic's algorithms, best guess first, as the backend takes them.
  std::vector<cublasLtMatmulAlgo_t> algorithms() const {
    return product_.algorithms(blas_->queue().library, operands_);
  }
  /// On the stream of `blas`.
  void run(const cublasLtMatmulAlgo_t& algorithm) const { check(product_.run(algorithm, operands_, blas_->queue())); }

  struct Choice {
    cublasLtMatmulAlgo_t algorithm{};
    double ms = 1e30;
  };
  /// The fastest of the heuristic's algorithms.
  Choice search() const;

 private:
  const Blas* blas_;
  BlasProduct product_;
  ProductOperands operands_;
};

std::string words(const cublasLtMatmulAlgo_t& algorithm);
