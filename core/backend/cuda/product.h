#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "tensor/dtype.h"

/// Row-major products by cuBLASLt. An algorithm is chosen the first time a product is met and kept: the library's first
/// proposal, or the fastest one, where the environment's ASTROCLIP_CUDA_PLANS names a file to keep the choices in.
/// Algorithms that sum in an order of chance or round operands to TF32 are left out.
namespace astroclip::cuda {

/// y [m, n] = relu(alpha · op(a) op(b) + c + bias), with float32 sums. op(a) is [m, k]; a is its transpose if
/// `transpose_a`; likewise b with [k, n]. All are contiguous, and `batch` of each lie one after another.
struct ProductSpec {
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool transpose_a = false, transpose_b = false;
  DType operand = DType::f32;  ///< of a and b: f32 or bf16
  DType result = DType::f32;   ///< of y, c and bias; bf16 only with bf16 operands
  bool bias = false, relu = false, adds = false;

  auto operator<=>(const ProductSpec&) const = default;
  /// "37120x3072x1024 nt bf16 to bf16, bias"
  std::string str() const;
};

/// On the card. In bf16, pointers and the lengths of all rows are multiples of 16 bytes.
struct ProductOperands {
  const void *a = nullptr, *b = nullptr;
  void* y = nullptr;
  const void* bias = nullptr;  ///< [n], a multiple of 16 bytes
  const void* c = nullptr;     ///< [m, n], may be y
  float alpha = 1.0F;
};

/// Queues the product, none of whose extents is 0; false if cuBLASLt has no algorithm for it.
bool try_product(const ProductSpec& spec, const ProductOperands& operands);
/// The same; throws Error if there is none.
void product(const ProductSpec& spec, const ProductOperands& operands);

}  // namespace astroclip::cuda
