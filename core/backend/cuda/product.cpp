#include "backend/cuda/product.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "backend/cuda/blas_product.h"
#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "backend/cuda/plan_table.h"
#include "backend/cuda/scratch.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

cublasStatus_t run_on_card(const BlasProduct& product, const cublasLtMatmulAlgo_t& algorithm,
                           const ProductOperands& operands) {
  const Scratch workspace(BlasProduct::workspace_bytes);
  const Card& card = Card::get();
  return product.run(algorithm, operands, {card.products(), card.stream(), workspace.data()});
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
std::optional<cublasLtMatmulAlgo_t> fastest(const BlasProduct& product, std::vector<cublasLtMatmulAlgo_t> algorithms,
                                            const ProductOperands& operands) {
  constexpr int warm = 2, rounds = 5, calls = 2;
  const auto fails = [&](const cublasLtMatmulAlgo_t& algorithm) {  // not every proposal runs
    return run_on_card(product, algorithm, operands) != CUBLAS_STATUS_SUCCESS;
  };
  for (int i = 0; i < warm; ++i) std::erase_if(algorithms, fails);
  std::vector<float> times(algorithms.size(), std::numeric_limits<float>::infinity());
  Stopwatch watch;
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < algorithms.size(); ++i) {
      watch.start();
      for (int call = 0; call < calls; ++call) check(run_on_card(product, algorithms[i], operands), "cublasLtMatmul");
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
    BlasProduct product;
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
  Plan plan{BlasProduct(spec, alignment), std::nullopt};
  const std::string name = fmt::format("{}, aligned to {}", spec.str(), alignment);
  if (table_) {
    if (const PlanTable::Algorithm* known = table_->find(name)) {
      plan.algorithm = std::bit_cast<cublasLtMatmulAlgo_t>(*known);
      return plan;
    }
  }
  const std::vector<cublasLtMatmulAlgo_t> algorithms = plan.product.algorithms(Card::get().products(), operands);
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
  check(run_on_card(plan.product, *plan.algorithm, operands), "cublasLtMatmul");
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
