#pragma once

#include <concepts>
#include <type_traits>

#include "ops/ops.h"

/// Operators for formulas: `x * (1 - m) + m * token` calls multiply, affine, multiply and add of ops.h.
namespace astroclip {

/// scale · x + shift, not computed yet, so that `2 * x + 1` is one kernel. It turns into a Tensor where one is needed;
/// store it as one (`const Tensor y = 2 * x;`), because `auto` keeps the formula, which each use computes again.
struct Affine {
  Tensor x;
  double scale = 1.0;
  double shift = 0.0;

  operator Tensor() const {
    if (shift == 0.0 && scale == 1.0) return x;
    if (shift == 0.0 && scale == -1.0) return ops::negate(x);
    return ops::affine(x, scale, shift);
  }
};

template <class T>
concept Operand = std::same_as<T, Tensor> || std::same_as<T, Affine>;
template <class T>
concept Scalar = std::is_arithmetic_v<T>;

inline Affine as_affine(const Tensor& x) { return {x}; }
inline const Affine& as_affine(const Affine& x) { return x; }

// With a scalar.
template <Operand X, Scalar S>
Affine operator*(const X& x, S s) {
  const Affine& a = as_affine(x);
  return {a.x, a.scale * static_cast<double>(s), a.shift * static_cast<double>(s)};
}
template <Operand X, Scalar S>
Affine operator+(const X& x, S s) {
  const Affine& a = as_affine(x);
  return {a.x, a.scale, a.shift + static_cast<double>(s)};
}
template <Operand X>
Affine operator-(const X& x) {
  return x * -1.0;
}
template <Operand X, Scalar S>
Affine operator-(const X& x, S s) {
  return x + -static_cast<double>(s);
}
template <Operand X, Scalar S>
Affine operator/(const X& x, S s) {
  return x * (1.0 / static_cast<double>(s));
}
template <Scalar S, Operand X>
Affine operator*(S s, const X& x) {
  return x * s;
}
template <Scalar S, Operand X>
Affine operator+(S s, const X& x) {
  return x + s;
}
template <Scalar S, Operand X>
Affine operator-(S s, const X& x) {
  return -x + s;
}
template <Scalar S, Operand X>
Affine operator/(S s, const X& x) {
  return s * ops::reciprocal(x);
}

// Of two tensors, with NumPy broadcasting.
template <Operand A, Operand B>
Tensor operator+(const A& a, const B& b) {
  return ops::add(a, b);
}
template <Operand A, Operand B>
Tensor operator-(const A& a, const B& b) {
  return ops::subtract(a, b);
}
template <Operand A, Operand B>
Tensor operator*(const A& a, const B& b) {
  return ops::multiply(a, b);
}
template <Operand A, Operand B>
Tensor operator/(const A& a, const B& b) {
  return ops::divide(a, b);
}

namespace ops {

/// a bᵀ and aᵀ b over the last two axes; leading axes are equal batches.
inline Tensor matmul_nt(const Tensor& a, const Tensor& b) { return matmul(a, b, false, true); }
inline Tensor matmul_tn(const Tensor& a, const Tensor& b) { return matmul(a, b, true, false); }

inline Tensor maximum(const Tensor& x, double s) { return maximum(x, Tensor::zeros({}, x.dtype(), x.device()) + s); }

}  // namespace ops
/// sum + weight · x; weight · x where the sum is undefined.
inline Tensor add_weighted(const Tensor& sum, double weight, const Tensor& x) {
  const Tensor weighted = weight * x;
  return sum.defined() ? sum + weighted : weighted;
}

}  // namespace astroclip
