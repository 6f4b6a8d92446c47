// cuBLASLt's products: what its descriptors mean, by plain loops. Refuses what the library refuses on a card.
#include <cublasLt.h>

#include <bit>
#include <cstring>
#include <vector>

#include "device.h"

using namespace astroclip::cuda::emulated;

namespace {

struct Operation {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType_t scale = CUDA_R_32F;
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  int bias_type = -1;  ///< the result's
  int pointer_mode = CUBLASLT_POINTER_MODE_HOST;
};

struct Layout {
  cudaDataType_t type = CUDA_R_32F;
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;
  int32_t batches = 1;
  int64_t stride = 0;
  int32_t order = CUBLASLT_ORDER_COL;

  int64_t at(int64_t batch, int64_t row, int64_t column) const { return batch * stride + column * leading + row; }
};

Operation& operation_of(cublasLtMatmulDesc_t x) { return *reinterpret_cast<Operation*>(x); }
Layout& layout_of(cublasLtMatrixLayout_t x) { return *reinterpret_cast<Layout*>(x); }

template <class T>
cublasStatus_t assign(T& value, const void* from, size_t bytes) {
  if (bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&value, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

double load(const void* data, cudaDataType_t type, int64_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  return std::bit_cast<float>(uint32_t{static_cast<const uint16_t*>(data)[i]} << 16);
}

void store(void* data, cudaDataType_t type, int64_t i, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[i] = value;
    return;
  }
  const auto word = std::bit_cast<uint32_t>(value);
  const bool nan = value != value;
  static_cast<uint16_t*>(data)[i] = static_cast<uint16_t>(nan ? 0x7FFF : (word + 0x7FFF + (word >> 16 & 1)) >> 16);
}

bool has_bias(cublasLtEpilogue_t epilogue) { return (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0; }
bool has_relu(cublasLtEpilogue_t epilogue) { return (epilogue & CUBLASLT_EPILOGUE_RELU) != 0; }

bool aligned(const Layout& x) {
  return x.type != CUDA_R_16BF || (x.leading % 8 == 0 && (x.batches == 1 || x.stride % 8 == 0));
}

/// Success if the library has kernels for it.
cublasStatus_t judge(const Operation& op, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  const bool turns_a = op.transpose_a != CUBLAS_OP_N, turns_b = op.transpose_b != CUBLAS_OP_N;
  const uint64_t m = turns_a ? a.columns : a.rows, k = turns_a ? a.rows : a.columns;
  if ((turns_b ? b.columns : b.rows) != k || (turns_b ? b.rows : b.columns) != d.columns || d.rows != m ||
      c.rows != m || c.columns != d.columns || m == 0 || k == 0 || d.columns == 0) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  for (const Layout* x : {&a, &b, &c, &d}) {
    if (x->leading < static_cast<int64_t>(x->rows) || x->batches != d.batches) return CUBLAS_STATUS_INVALID_VALUE;
    if (x->order != CUBLASLT_ORDER_COL) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (x->type != CUDA_R_32F && x->type != CUDA_R_16BF) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!aligned(*x)) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (a.type != b.type || c.type != d.type || (d.type == CUDA_R_16BF && a.type != CUDA_R_16BF)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (op.epilogue != CUBLASLT_EPILOGUE_DEFAULT && op.epilogue != CUBLASLT_EPILOGUE_BIAS &&
      op.epilogue != CUBLASLT_EPILOGUE_RELU && op.epilogue != CUBLASLT_EPILOGUE_RELU_BIAS) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (has_bias(op.epilogue) && op.bias_type != -1 && op.bias_type != d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (op.compute != CUBLAS_COMPUTE_32F || op.scale != CUDA_R_32F || op.pointer_mode != CUBLASLT_POINTER_MODE_HOST) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

struct Product {
  Operation op;
  Layout a, b, c, d;
  const void *a_data, *b_data, *c_data;
  void* d_data;
  float alpha, beta;
  int parts;  ///< of k, each summed by itself
};

/// d = end(alpha op(a) op(b) + beta c + bias).
void multiply(const Product& p) {
  const bool turns_a = p.op.transpose_a != CUBLAS_OP_N, turns_b = p.op.transpose_b != CUBLAS_OP_N;
  const auto m = static_cast<int64_t>(p.d.rows), n = static_cast<int64_t>(p.d.columns);
  const auto k = static_cast<int64_t>(turns_a ? p.a.rows : p.a.columns);
  std::vector<double> a(static_cast<size_t>(k * m)), sums(static_cast<size_t>(m)), total(static_cast<size_t>(m));
  for (int64_t batch = 0; batch < p.d.batches; ++batch) {
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t row = 0; row < m; ++row) {
        a[static_cast<size_t>(i * m + row)] =
            load(p.a_data, p.a.type, turns_a ? p.a.at(batch, i, row) : p.a.at(batch, row, i));
      }
    }
    for (int64_t column = 0; column < n; ++column) {
      std::fill(total.begin(), total.end(), 0.0);
      for (int part = 0; part < p.parts; ++part) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (int64_t i = k * part / p.parts; i < k * (part + 1) / p.parts; ++i) {
          const double factor = load(p.b_data, p.b.type, turns_b ? p.b.at(batch, column, i) : p.b.at(batch, i, column));
          const double* from = a.data() + i * m;
          for (int64_t row = 0; row < m; ++row) sums[static_cast<size_t>(row)] += factor * from[row];
        }
        for (int64_t row = 0; row < m; ++row) {
          total[static_cast<size_t>(row)] =
              static_cast<float>(total[static_cast<size_t>(row)]) + static_cast<float>(sums[static_cast<size_t>(row)]);
        }
      }
      for (int64_t row = 0; row < m; ++row) {
        float value = p.alpha * static_cast<float>(total[static_cast<size_t>(row)]);
        if (p.beta != 0.0f) value += p.beta * static_cast<float>(load(p.c_data, p.c.type, p.c.at(batch, row, column)));
        if (has_bias(p.op.epilogue)) value += static_cast<float>(load(p.op.bias, p.d.type, row));
        if (has_relu(p.op.epilogue) && value < 0.0f) value = 0.0f;
        store(p.d_data, p.d.type, p.d.at(batch, row, column), value);
      }
    }
  }
}

constexpr uint64_t algorithm_mark = 0x6C656D7565;
constexpr int algorithms = 3;

bool misaligned(const void* data, const Layout& x) {
  return reinterpret_cast<uintptr_t>(data) % (x.type == CUDA_R_16BF ? 16 : 4) != 0;
}

}  // namespace

#pragma GCC visibility push(hidden)
extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(new int());
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
size_t cublasLtGetVersion() { return 0; }
const char* cublasLtGetStatusString(cublasStatus_t status) {
  if (status == CUBLAS_STATUS_INVALID_VALUE) return "CUBLAS_STATUS_INVALID_VALUE";
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return "CUBLAS_STATUS_NOT_SUPPORTED";
  return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "another status";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t scale) {
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new Operation{.compute = compute, .scale = scale, .bias = nullptr});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  delete &operation_of(operation);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name,
                                              const void* value, size_t bytes) {
  Operation& op = operation_of(operation);
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(op.transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(op.transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(op.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(op.bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return assign(op.bias_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return assign(op.pointer_mode, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  auto* layout = new Layout();
  layout->type = type;
  layout->rows = rows;
  layout->columns = columns;
  layout->leading = leading;
  *made = reinterpret_cast<cublasLtMatrixLayout_t>(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete &layout_of(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t name,
                                                const void* value, size_t bytes) {
  Layout& x = layout_of(layout);
  switch (name) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return assign(x.batches, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return assign(x.stride, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
      return assign(x.order, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return assign(x.leading, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
      return assign(x.rows, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
      return assign(x.columns, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new int());
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete reinterpret_cast<int*>(preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t,
                                                    const void*, size_t) {
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t, int most,
                                              cublasLtMatmulHeuristicResult_t* results, int* count) {
  *count = 0;
  const cublasStatus_t status = judge(operation_of(operation), layout_of(a), layout_of(b), layout_of(c), layout_of(d));
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  for (; *count < most && *count < algorithms; ++*count) {
    results[*count] = {};
    results[*count].algo.data[0] = algorithm_mark;
    results[*count].algo.data[1] = static_cast<uint64_t>(*count);
    results[*count].state = CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCapGetAttribute(const cublasLtMatmulAlgo_t*, cublasLtMatmulAlgoCapAttributes_t name,
                                                 void* value, size_t bytes, size_t* written) {
  const uint64_t flags = CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F;
  if (name != CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS || bytes != sizeof flags) return CUBLAS_STATUS_NOT_SUPPORTED;
  std::memcpy(value, &flags, bytes);
  if (written != nullptr) *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  Product p{operation_of(operation),
            layout_of(a_layout),
            layout_of(b_layout),
            layout_of(c_layout),
            layout_of(d_layout),
            a,
            b,
            c,
            d,
            0.0f,
            0.0f,
            1};
  const cublasStatus_t status = judge(p.op, p.a, p.b, p.c, p.d);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  std::memcpy(&p.alpha, alpha, sizeof p.alpha);
  std::memcpy(&p.beta, beta, sizeof p.beta);
  if (misaligned(a, p.a) || misaligned(b, p.b) || misaligned(d, p.d) || (p.beta != 0.0f && misaligned(c, p.c)) ||
      (has_bias(p.op.epilogue) && p.op.bias == nullptr)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (algorithm != nullptr) {
    if (algorithm->data[0] != algorithm_mark || algorithm->data[1] >= algorithms) return CUBLAS_STATUS_INVALID_VALUE;
    p.parts = static_cast<int>(algorithm->data[1]) + 1;
  }
  queue(reinterpret_cast<Stream*>(stream), [=] {
    if (workspace != nullptr) std::memset(workspace, 0xFF, std::min<size_t>(workspace_bytes, 4096));
    multiply(p);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
#pragma GCC visibility pop
