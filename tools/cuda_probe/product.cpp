#include "product.h"

Product::Choice Product::search() const {
  Choice best;
  for (const cublasLtMatmulAlgo_t& algorithm : algorithms()) {
    double ms = 0.0;
    try {
      ms = time_ms([&] { run(algorithm); }, 3, 3, blas_->stream());
    } catch (const std::exception&) {  // not every proposal runs
      cudaGetLastError();
      continue;
    }
    if (ms < best.ms) best = {algorithm, ms};
  }
  if (best.ms == 1e30) throw std::runtime_error("cuBLASLt has no algorithm for this product");
  return best;
}

std::string words(const cublasLtMatmulAlgo_t& algorithm) {
  const auto value = [&](cublasLtMatmulAlgoConfigAttributes_t name) {
    int v = 0;
    size_t written = 0;
    cublasLtMatmulAlgoConfigGetAttribute(&algorithm, name, &v, sizeof v, &written);
    return std::to_string(v);
  };
  return "id " + value(CUBLASLT_ALGO_CONFIG_ID) + " tile " + value(CUBLASLT_ALGO_CONFIG_TILE_ID) + " split " +
         value(CUBLASLT_ALGO_CONFIG_SPLITK_NUM) + " scheme " + value(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
}
