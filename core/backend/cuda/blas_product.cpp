#include "backend/cuda/blas_product.h"

#include <span>

#include "backend/cuda/check.h"

namespace astroclip::cuda {

namespace {

cudaDataType_t type_of(DType dtype) { return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

cublasLtEpilogue_t end_of(const ProductSpec& spec) {
  if (spec.relu) return spec.bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  return spec.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

bool is_refusal(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE;
}

/// Whether a float32 algorithm rounds its operands for tensor cores.
bool rounds_operands(const cublasLtMatmulAlgo_t& algorithm) {
  constexpr uint64_t rounded = CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32 | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF |
                               CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16F;
  uint64_t flags = 0;
  size_t written = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoCapGetAttribute(&algorithm, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS,
                                                                  &flags, sizeof flags, &written);
  return status == CUBLAS_STATUS_SUCCESS && (flags & rounded) != 0;
}

}  // namespace

BlasProduct::BlasProduct(const ProductSpec& spec, uint32_t alignment)
    : spec_(spec),
      alignment_(alignment),
      a_(spec.transpose_a ? layout(spec.operand, spec.k, spec.m) : layout(spec.operand, spec.m, spec.k)),
      b_(spec.transpose_b ? layout(spec.operand, spec.n, spec.k) : layout(spec.operand, spec.k, spec.n)),
      y_(layout(spec.result, spec.m, spec.n)) {
  cublasLtMatmulDesc_t operation = nullptr;
  ASTROCLIP_CUDA(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  operation_.reset(operation);
  set(CUBLASLT_MATMUL_DESC_TRANSA, spec.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_TRANSB, spec.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, end_of(spec));
  if (spec.bias) set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(spec.result));
}

template <class T>
void BlasProduct::set(cublasLtMatmulDescAttributes_t name, const T& value) const {
  ASTROCLIP_CUDA(cublasLtMatmulDescSetAttribute(operation_.get(), name, &value, sizeof value));
}

/// Of a row-major matrix.
BlasProduct::Owned<cublasLtMatrixLayout_t> BlasProduct::layout(DType dtype, int64_t rows, int64_t columns) const {
  cublasLtMatrixLayout_t made = nullptr;
  ASTROCLIP_CUDA(cublasLtMatrixLayoutCreate(&made, type_of(dtype), static_cast<uint64_t>(columns),
                                            static_cast<uint64_t>(rows), columns));
  Owned<cublasLtMatrixLayout_t> owned(made);
  if (spec_.batch > 1) {
    const auto count = static_cast<int32_t>(spec_.batch);
    const int64_t stride = rows * columns;
    ASTROCLIP_CUDA(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    ASTROCLIP_CUDA(
        cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
  }
  return owned;
}

std::vector<cublasLtMatmulAlgo_t> BlasProduct::algorithms(cublasLtHandle_t library,
                                                          const ProductOperands& operands) const {
  constexpr int most = 24;
  if (spec_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias);
  cublasLtMatmulPreference_t made = nullptr;
  ASTROCLIP_CUDA(cublasLtMatmulPreferenceCreate(&made));
  const Owned<cublasLtMatmulPreference_t> preference(made);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
    ASTROCLIP_CUDA(cublasLtMatmulPreferenceSetAttribute(made, name, &value, sizeof value));
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE) |
                                                         static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_);
  std::vector<cublasLtMatmulHeuristicResult_t> found(most);
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(library, operation_.get(), b_.get(), a_.get(), y_.get(),
                                                               y_.get(), made, most, found.data(), &count);
  if (is_refusal(status)) return {};
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  std::vector<cublasLtMatmulAlgo_t> usable;
  for (const cublasLtMatmulHeuristicResult_t& result : std::span(found).first(static_cast<size_t>(count))) {
    if (result.state != CUBLAS_STATUS_SUCCESS) continue;
    if (spec_.operand == DType::f32 && rounds_operands(result.algo)) continue;
    usable.push_back(result.algo);
  }
  return usable;
}

cublasStatus_t BlasProduct::run(const cublasLtMatmulAlgo_t& algorithm, const ProductOperands& operands,
                                const BlasQueue& queue) const {
  if (spec_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias);
  const float beta = spec_.adds ? 1.0F : 0.0F;
  return cublasLtMatmul(queue.library, operation_.get(), &operands.alpha, operands.b, b_.get(), operands.a, a_.get(),
                        &beta, spec_.adds ? operands.c : operands.y, y_.get(), operands.y, y_.get(), &algorithm,
                        queue.workspace, workspace_bytes, queue.stream);
}

}  // namespace astroclip::cuda
