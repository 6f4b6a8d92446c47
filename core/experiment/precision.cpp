#include "experiment/precision.h"

#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <map>

#include "base/threads.h"

namespace astroclip {

namespace {

constexpr double worthwhile = 1.2;  ///< how many times as fast bf16 must be, since it rounds operands to 8 bits

/// One precision of the product that is measured.
struct Contender {
  Precision precision;
  std::shared_ptr<Prepared> packed;
  double seconds = std::numeric_limits<double>::infinity();
};

/// Precisions take turns and the shortest times count, so that other load on the machine affects both alike. One thread
/// computes, because a team would wait for whichever member shares its core.
ProductRates measure_products(Device device) {
  constexpr int64_t rows = 128, width = 1024;
  constexpr int turns = 8;
  Backend& backend = backend_of(device);
  if (!backend.supports(Precision::bf16)) return {};
  const int threads = compute_threads();
  set_compute_threads(1);
  Tensor x = Tensor::zeros({rows, width}, backend.compute_dtype(), device), y = x.clone();
  const Tensor weight = Tensor::zeros({width, width}, backend.compute_dtype(), device);
  Contender contenders[] = {{Precision::f32, {}}, {Precision::bf16, {}}};
  for (Contender& each : contenders) each.packed = backend.prepare(weight, WeightUse::forward, each.precision, rows);
  for (int turn = 0; turn < turns; ++turn) {
    for (Contender& each : contenders) {
      LinearArguments product;
      product.x = x;
      product.weight = weight;
      product.packed = each.packed.get();
      product.y = y;
      product.precision = each.precision;
      const auto start = std::chrono::steady_clock::now();
      backend.linear(product);
      backend.synchronize();
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      each.seconds = std::min(each.seconds, time.count());
    }
  }
  set_compute_threads(threads);
  const double operations = 2.0 * rows * width * width;
  return {operations / contenders[0].seconds, operations / contenders[1].seconds};
}

}  // namespace

const char* name_of(Precision precision) { return precision == Precision::bf16 ? "bf16" : "f32"; }

PrecisionChoice choose_precision(const ProductRates& rates) {
  if (rates.bf16 == 0.0) return {Precision::f32, "the device has no bf16 products"};
  const double ratio = rates.bf16 / rates.f32;
  const std::string found = fmt::format(
      "bf16 products are {:.1f} times as fast as f32 ones ({:.0f} and {:.0f} GFLOP/s "
      "on one core)",
      ratio, rates.bf16 / 1e9, rates.f32 / 1e9);
  if (ratio >= worthwhile) return {Precision::bf16, found};
  return {Precision::f32, fmt::format("{}, fewer than {} times", found, worthwhile)};
}

const PrecisionChoice& precision_of_cards() {
  static const PrecisionChoice choice{Precision::bf16, "a card multiplies bf16 on its tensor cores"};
  return choice;
}

const PrecisionChoice& fastest_precision(Device device) {
  if (!is_host_memory(device)) return precision_of_cards();
  static std::map<std::string, PrecisionChoice> chosen;
  const auto known = chosen.find(device.str());
  if (known != chosen.end()) return known->second;
  return chosen.emplace(device.str(), choose_precision(measure_products(device))).first->second;
}

}  // namespace astroclip
