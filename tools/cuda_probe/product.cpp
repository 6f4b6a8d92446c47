#include "product.h"

namespace {

template <class T>
void set_preference(cublasLtMatmulPreference_t wish, cublasLtMatmulPreferenceAttributes_t name, const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(wish, name, &value, sizeof value));
}

}  // namespace

/// cuBLASLt is column-major, so it is asked for yᵀ = op(b)ᵀ op(a)ᵀ: its A is our b, and its bias runs along our
/// columns.
Product::Product(const Blas& blas, const ProductSpec& spec, const ProductPointers& pointers)
    : blas_(&blas), spec_(spec), p_(pointers) {
  check(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  set(CUBLASLT_MATMUL_DESC_TRANSA, spec.b_turned ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_TRANSB, spec.a_turned ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, spec.end);
  if (pointers.bias != nullptr) {
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, pointers.bias);
    set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, spec.bias);
  }
  b_ = spec.b_turned ? layout(spec.in, spec.k, spec.n) : layout(spec.in, spec.n, spec.k);
  a_ = spec.a_turned ? layout(spec.in, spec.m, spec.k) : layout(spec.in, spec.k, spec.m);
  y_ = layout(spec.out, spec.n, spec.m);
}

Product::Product(Product&& other) noexcept : blas_(other.blas_), spec_(other.spec_), p_(other.p_) {
  std::swap(operation_, other.operation_);
  std::swap(a_, other.a_);
  std::swap(b_, other.b_);
  std::swap(y_, other.y_);
}

Product::~Product() {
  for (const auto layout : {a_, b_, y_}) {
    if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
  }
  if (operation_ != nullptr) cublasLtMatmulDescDestroy(operation_);
}

std::vector<cublasLtMatmulAlgo_t> Product::algorithms(int most) const {
  cublasLtMatmulPreference_t wish = nullptr;
  check(cublasLtMatmulPreferenceCreate(&wish));
  set_preference(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, Blas::workspace_bytes);
  set_preference(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                 static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE) |
                     static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  std::vector<cublasLtMatmulHeuristicResult_t> found(static_cast<size_t>(most));
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(blas_->handle(), operation_, b_, a_, y_, y_, wish, most, found.data(), &count);
  cublasLtMatmulPreferenceDestroy(wish);
  check(status);
  std::vector<cublasLtMatmulAlgo_t> usable;
  for (int i = 0; i < count; ++i) {
    const auto& result = found[static_cast<size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) usable.push_back(result.algo);
  }
  return usable;
}

void Product::run(const cublasLtMatmulAlgo_t& algorithm) const {
  check(cublasLtMatmul(blas_->handle(), operation_, &spec_.alpha, p_.b, b_, p_.a, a_, &spec_.beta,
                       p_.c != nullptr ? p_.c : p_.y, y_, p_.y, y_, &algorithm, blas_->workspace(),
                       Blas::workspace_bytes, blas_->stream()));
}

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

std::string Product::words(const cublasLtMatmulAlgo_t& algorithm) {
  const auto value = [&](cublasLtMatmulAlgoConfigAttributes_t name) {
    int v = 0;
    size_t written = 0;
    cublasLtMatmulAlgoConfigGetAttribute(&algorithm, name, &v, sizeof v, &written);
    return std::to_string(v);
  };
  return "id " + value(CUBLASLT_ALGO_CONFIG_ID) + " tile " + value(CUBLASLT_ALGO_CONFIG_TILE_ID) + " split " +
         value(CUBLASLT_ALGO_CONFIG_SPLITK_NUM) + " scheme " + value(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
}

template <class T>
void Product::set(cublasLtMatmulDescAttributes_t name, const T& value) {
  check(cublasLtMatmulDescSetAttribute(operation_, name, &value, sizeof value));
}

cublasLtMatrixLayout_t Product::layout(cudaDataType_t type, int64_t rows, int64_t columns) const {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows));
  if (spec_.batch > 1) {
    const auto count = static_cast<int32_t>(spec_.batch);
    const int64_t stride = rows * columns;
    check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
  }
  return made;
}
