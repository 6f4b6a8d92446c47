// cuBLASLt: does each algorithm that the heuristic proposes repeat its bits, alone and beside another stream's work,
// and does the end RELU_BIAS let NaN pass. Usage: products
#include <cmath>
#include <limits>

#include "load.h"
#include "product.h"

namespace {

constexpr int reruns = 50;

template <class T>
constexpr DType type_of = std::is_same_v<T, float> ? DType::f32 : DType::bf16;

/// `T`: of the operands.
template <class T>
void repeat(const Blas& blas, const std::string& name, ProductSpec s) {
  attempt(name, [&] {
    s.operand = type_of<T>;
    const Buffer<T> a = normal<T>(s.m * s.k, 1), b = normal<T>(s.n * s.k, 2);
    const int64_t bytes = s.m * s.n * astroclip::size_of(s.result);
    const Workspace y(bytes), first(bytes);
    const Product product(blas, s, {.a = a.get(), .b = b.get(), .y = y.get()});
    Load load;
    int proposal = 0;
    for (const cublasLtMatmulAlgo_t& algorithm : product.algorithms()) {
      Buffer<int> alone(1), beside(1);
      alone.zero();
      beside.zero();
      product.run(algorithm);
      check(cudaMemcpy(first.get(), y.get(), y.bytes(), cudaMemcpyDeviceToDevice));
      for (Load* work : {static_cast<Load*>(nullptr), &load}) {
        for (int turn = 0; turn < reruns; ++turn) {
          if (work != nullptr) work->queue(turn);
          check(cudaMemsetAsync(y.get(), 0xFF, y.bytes()));
          product.run(algorithm);
          count_if_different(first.get(), y.get(), y.bytes(), (work != nullptr ? beside : alone).get());
        }
        check(cudaDeviceSynchronize());
      }
      const double ms = time_ms([&] { product.run(algorithm); }, 5, 3);
      say("%-44s no. %d %8.4f ms %6.1f TFLOP/s, bits differ %d alone, %d under load of %d, %s", name.c_str(),
          proposal++, ms, operations(s) / ms * 1e-9, alone.host()[0], beside.host()[0], reruns,
          words(algorithm).c_str());
    }
  });
}

template <class T>
Buffer<T> upload(const std::vector<float>& values) {
  std::vector<T> converted;
  for (const float value : values) converted.push_back(T(value));
  Buffer<T> made(static_cast<int64_t>(values.size()));
  check(cudaMemcpy(made.get(), converted.data(), made.bytes(), cudaMemcpyHostToDevice));
  return made;
}

/// Rows in whose sums NaN, −NaN, ∞ or −∞ stand, and one that is finite.
template <class T>
void relu_of_nan(const Blas& blas) {
  attempt("RELU_BIAS", [&] {
    constexpr int64_t m = 128, n = 256, k = 64;
    const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> special = {nan, -nan, infinity, -infinity, 1.0F};
    std::vector<float> rows(m * k, 1.0F);
    for (size_t i = 0; i < special.size(); ++i) rows[i * k] = special[i];
    const Buffer<T> a = upload<T>(rows), b = upload<T>(std::vector<float>(n * k, 1.0F)),
                    bias = upload<T>(std::vector<float>(n, 0.0F)), y(m * n);
    const ProductSpec spec{.m = m,
                           .n = n,
                           .k = k,
                           .transpose_b = true,
                           .operand = type_of<T>,
                           .result = type_of<T>,
                           .bias = true,
                           .relu = true};
    const Product product(blas, spec, {.a = a.get(), .b = b.get(), .y = y.get(), .bias = bias.get()});
    for (const cublasLtMatmulAlgo_t& algorithm : product.algorithms()) {
      product.run(algorithm);
      const std::vector<T> host = y.host();
      const auto of_row = [&](size_t i) { return static_cast<double>(static_cast<float>(host[i * n])); };
      say("RELU_BIAS, %s: sums of NaN, -NaN, inf, -inf, %lld give %f, %f, %f, %f, %f; %s",
          type_of<T> == DType::f32 ? "f32" : "bf16", static_cast<long long>(k), of_row(0), of_row(1), of_row(2),
          of_row(3), of_row(4), words(algorithm).c_str());
    }
  });
}

}  // namespace

int main() {
  const auto program = [] {
    say_versions();
    const Blas blas;
    relu_of_nan<bf16>(blas);
    relu_of_nan<float>(blas);
    repeat<bf16>(blas, "fc1, 37120 x 4096 x 1024", forward_product(37120, 4096, 1024));
    repeat<bf16>(blas, "one image's qkv, 145 x 3072 x 1024", forward_product(145, 3072, 1024));
    repeat<bf16>(blas, "head, 256 x 4096 x 1024", forward_product(256, 4096, 1024));
    repeat<bf16>(blas, "prototypes' dx, 4864 x 256 x 65536", input_gradient(4864, 256, 65536));
    repeat<bf16>(blas, "fc1 dW, 4096 x 1024 x 18560", weight_gradient(4096, 1024, 18560));
    repeat<bf16>(blas, "proj dW, 1024 x 1024 x 37120", weight_gradient(1024, 1024, 37120));
    repeat<bf16>(blas, "Specformer's proj dW, 768 x 768 x 49792", weight_gradient(768, 768, 49792));
    repeat<float>(blas, "f32, 4640 x 3072 x 1024", {.m = 4640, .n = 3072, .k = 1024, .transpose_b = true});
    repeat<float>(blas, "f32 dW, 1024 x 1024 x 4640", weight_gradient(1024, 1024, 4640));
  };
  return attempt("products", program) ? 0 : 1;
}
