// Row-major products through cuBLASLt, with fused ends, and a search over its algorithms.
#pragma once

#include "device.h"

/// The library with its workspace. One product runs at a time.
class Blas {
 public:
  static constexpr size_t workspace_bytes = size_t{64} << 20;

  explicit Blas(cudaStream_t stream = nullptr) : stream_(stream) { check(cublasLtCreate(&handle_)); }
  Blas(const Blas&) = delete;
  ~Blas() { cublasLtDestroy(handle_); }
  cublasLtHandle_t handle() const { return handle_; }
  cudaStream_t stream() const { return stream_; }
  void* workspace() const { return workspace_.get(); }

 private:
  cublasLtHandle_t handle_ = nullptr;
  cudaStream_t stream_;
  Workspace workspace_{static_cast<int64_t>(workspace_bytes)};
};

/// y = end(alpha op(a) op(b)) + beta c with a [m, k] (stored [k, m] if `a_turned`), b [k, n] (stored [n, k] if
/// `b_turned`: a weight [out, in]) and y [m, n], all row-major; `batch` of them one after another in memory.
struct ProductSpec {
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool a_turned = false, b_turned = true;
  cudaDataType_t in = CUDA_R_16BF, out = CUDA_R_16BF;
  cublasLtEpilogue_t end = CUBLASLT_EPILOGUE_DEFAULT;
  cudaDataType_t bias = CUDA_R_16BF;
  float alpha = 1.0F, beta = 0.0F;

  double operations() const { return 2.0 * static_cast<double>(m * n * k * batch); }
};

struct ProductPointers {
  const void* a = nullptr;
  const void* b = nullptr;
  void* y = nullptr;
  const void* c = nullptr;     ///< what beta scales; y itself if null
  const void* bias = nullptr;  ///< [n]
};

class Product {
 public:
  Product(const Blas& blas, const ProductSpec& spec, const ProductPointers& pointers);
  Product(Product&& other) noexcept;
  Product(const Product&) = delete;
  ~Product();

  /// The heuristic's algorithms, best guess first, among those that sum without atomic additions.
  std::vector<cublasLtMatmulAlgo_t> algorithms(int most = 24) const;
  /// On the stream of `blas`.
  void run(const cublasLtMatmulAlgo_t& algorithm) const;

  struct Choice {
    cublasLtMatmulAlgo_t algorithm{};
    double ms = 1e30;
  };
  /// The fastest of the heuristic's algorithms.
  Choice search() const;

  static std::string words(const cublasLtMatmulAlgo_t& algorithm);

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value);
  cublasLtMatrixLayout_t layout(cudaDataType_t type, int64_t rows, int64_t columns) const;

  const Blas* blas_;
  ProductSpec spec_;
  ProductPointers p_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, y_ = nullptr;
};
