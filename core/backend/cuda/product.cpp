#include "backend/cuda/product.h"

#include <cublasLt.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "backend/cuda/plan_table.h"
#include "backend/cuda/scratch.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

constexpr size_t workspace_bytes = size_t{64} << 20;

struct Destroy {
  void operator()(cublasLtMatmulDesc_t x) const { (void)cublasLtMatmulDescDestroy(x); }
  void operator()(cublasLtMatrixLayout_t x) const { (void)cublasLtMatrixLayoutDestroy(x); }
  void operator()(cublasLtMatmulPreference_t x) const { (void)cublasLtMatmulPreferenceDestroy(x); }
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

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

/// A product as cuBLASLt describes it. The library is column-major, so it is asked for yᵀ = op(b)ᵀ op(a)ᵀ: its A is our
/// b, and its bias runs along our columns. `alignment` is that of all matrices in bytes.
class Product {
 public:
  Product(const ProductSpec& spec, uint32_t alignment);
  /// The library's proposals, the likeliest first.
  std::vector<cublasLtMatmulAlgo_t> algorithms(const ProductOperands& operands) const;
  cublasStatus_t run(const cublasLtMatmulAlgo_t& algorithm, const ProductOperands& operands) const;

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) const {
    ASTROCLIP_CUDA(cublasLtMatmulDescSetAttribute(operation_.get(), name, &value, sizeof value));
  }
  Owned<cublasLtMatrixLayout_t> layout(DType dtype, int64_t rows, int64_t columns) const;

  ProductSpec spec_;
  uint32_t alignment_;
  Owned<cublasLtMatmulDesc_t> operation_;
  Owned<cublasLtMatrixLayout_t> a_, b_, y_;
};

Product::Product(const ProductSpec& spec, uint32_t alignment)
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

/// Of a row-major matrix.
Owned<cublasLtMatrixLayout_t> Product::layout(DType dtype, int64_t rows, int64_t columns) const {
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

std::vector<cublasLtMatmulAlgo_t> Product::algorithms(const ProductOperands& operands) const {
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
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(Card::get().products(), operation_.get(), b_.get(), a_.get(), y_.get(), y_.get(),
                                     made, most, found.data(), &count);
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

cublasStatus_t Product::run(const cublasLtMatmulAlgo_t& algorithm, const ProductOperands& operands) const {
  if (spec_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias);
  const float beta = spec_.adds ? 1.0F : 0.0F;
  const Scratch workspace(workspace_bytes);
  const Card& card = Card::get();
  return cublasLtMatmul(card.products(), operation_.get(), &operands.alpha, operands.b, b_.get(), operands.a, a_.get(),
                        &beta, spec_.adds ? operands.c : operands.y, y_.get(), operands.y, y_.get(), &algorithm,
                        workspace.data(), workspace_bytes, card.stream());
}

/// Times what the card does between start() and stop().
class Stopwatch {
 public:
  Stopwatch() {
    ASTROCLIP_CUDA(cudaEventCreate(&start_));
    ASTROCLIP_CUDA(cudaEventCreate(&stop_));
  }
  ~Stopwatch() {
    (void)cudaEventDestroy(start_);
    (void)cudaEventDestroy(stop_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  void start() { ASTROCLIP_CUDA(cudaEventRecord(start_, Card::get().stream())); }
  float stop() {
    ASTROCLIP_CUDA(cudaEventRecord(stop_, Card::get().stream()));
    ASTROCLIP_CUDA(cudaEventSynchronize(stop_));
    float milliseconds = 0.0F;
    ASTROCLIP_CUDA(cudaEventElapsedTime(&milliseconds, start_, stop_));
    return milliseconds;
  }

 private:
  cudaEvent_t start_ = nullptr, stop_ = nullptr;
};

/// The fastest algorithm. They run in turns, because a card that grows hot would favour the first. Overwrites y.
std::optional<cublasLtMatmulAlgo_t> fastest(const Product& product, std::vector<cublasLtMatmulAlgo_t> algorithms,
                                            const ProductOperands& operands) {
  constexpr int warm = 2, rounds = 5, calls = 2;
  const auto fails = [&](const cublasLtMatmulAlgo_t& algorithm) {  // not every proposal runs
    return product.run(algorithm, operands) != CUBLAS_STATUS_SUCCESS;
  };
  for (int i = 0; i < warm; ++i) std::erase_if(algorithms, fails);
  std::vector<float> times(algorithms.size(), std::numeric_limits<float>::infinity());
  Stopwatch watch;
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < algorithms.size(); ++i) {
      watch.start();
      for (int call = 0; call < calls; ++call) check(product.run(algorithms[i], operands), "cublasLtMatmul");
      times[i] = std::min(times[i], watch.stop());
    }
  }
  if (algorithms.empty()) return std::nullopt;
  return algorithms[static_cast<size_t>(std::ranges::min_element(times) - times.begin())];
}

/// All products met so far.
class Plans {
 public:
  static Plans& get() {
    static auto* plans = new Plans();  // never destroyed, like the card
    return *plans;
  }
  bool run(const ProductSpec& spec, const ProductOperands& operands);

 private:
  struct Plan {
    Product product;
    std::optional<cublasLtMatmulAlgo_t> algorithm;  ///< none if the library has none
  };

  Plans() {
    if (const char* path = std::getenv("ASTROCLIP_CUDA_PLANS")) table_.emplace(path, Card::get().describe());
  }
  Plan make(const ProductSpec& spec, uint32_t alignment, const ProductOperands& operands);

  std::mutex mutex_;
  std::map<std::pair<ProductSpec, uint32_t>, Plan> plans_;
  std::optional<PlanTable> table_;  ///< with a search
};

Plans::Plan Plans::make(const ProductSpec& spec, uint32_t alignment, const ProductOperands& operands) {
  Plan plan{Product(spec, alignment), std::nullopt};
  const std::string name = fmt::format("{}, aligned to {}", spec.str(), alignment);
  if (table_) {
    if (const PlanTable::Algorithm* known = table_->find(name)) {
      plan.algorithm = std::bit_cast<cublasLtMatmulAlgo_t>(*known);
      return plan;
    }
  }
  const std::vector<cublasLtMatmulAlgo_t> algorithms = plan.product.algorithms(operands);
  if (algorithms.empty()) return plan;
  plan.algorithm = algorithms.front();
  if (!table_) return plan;
  ProductOperands apart = operands;
  std::optional<Scratch> y;  // c, which may be y, must stay as it is
  if (spec.adds) apart.y = y.emplace(spec.batch * spec.m * spec.n * size_of(spec.result)).data();
  plan.algorithm = fastest(plan.product, algorithms, apart);
  if (plan.algorithm) table_->add(name, std::bit_cast<PlanTable::Algorithm>(*plan.algorithm));
  return plan;
}

bool Plans::run(const ProductSpec& spec, const ProductOperands& operands) {
  uintptr_t bits = 0;
  for (const void* matrix : {operands.a, operands.b, static_cast<const void*>(operands.y), operands.c}) {
    bits |= reinterpret_cast<uintptr_t>(matrix);
  }
  const auto bytes = static_cast<uint32_t>(size_of(spec.operand));
  const uint32_t alignment = bits % 256 == 0 ? 256 : bits % 16 == 0 ? 16 : bytes;
  const std::lock_guard lock(mutex_);
  const std::pair key(spec, alignment);
  auto found = plans_.find(key);
  if (found == plans_.end()) found = plans_.emplace(key, make(spec, alignment, operands)).first;
  const Plan& plan = found->second;
  if (!plan.algorithm) return false;
  check(plan.product.run(*plan.algorithm, operands), "cublasLtMatmul");
  return true;
}

}  // namespace

std::string ProductSpec::str() const {
  return fmt::format("{}{}x{}x{} {}{} {} to {}{}{}{}", batch > 1 ? fmt::format("{} of ", batch) : "", m, n, k,
                     transpose_a ? 't' : 'n', transpose_b ? 't' : 'n', name_of(operand), name_of(result),
                     bias ? ", bias" : "", relu ? ", relu" : "", adds ? ", sum" : "");
}

bool try_product(const ProductSpec& spec, const ProductOperands& operands) { return Plans::get().run(spec, operands); }

void product(const ProductSpec& spec, const ProductOperands& operands) {
  if (try_product(spec, operands)) return;
  throw Error(fmt::format("[cuda] cuBLASLt has no algorithm for the product {}", spec.str()));
}

}  // namespace astroclip::cuda
