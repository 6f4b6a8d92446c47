#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>

#include <cmath>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

template <class T, class Op>
HWY_INLINE void map(const T* x, T* y, int64_t size, Op op) {
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR { store(op(load(x + i, n)), y + i, n); });
}

template <class Op>
HWY_INLINE void map_scalar(const float* x, float* y, int64_t size, Op op) {
  for (int64_t i = 0; i < size; ++i) y[i] = op(x[i]);
}

/// dx = dy · derivative(x, y)
template <class Op>
HWY_INLINE void chain(const float* x, const float* y, const float* dy, float* dx, int64_t size, Op derivative) {
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR {
    // y may be absent for ops whose derivative does not read it
    const Vector result = y == nullptr ? set(0.0f) : load(y + i, n);
    store(hn::Mul(load(dy + i, n), derivative(load(x + i, n), result)), dx + i, n);
  });
}

HWY_INLINE Vector sigmoid(Vector x) {
  // e^(−|x|) never overflows
  const Vector e = exp(hn::Neg(hn::Abs(x)));
  const Vector small = hn::Div(e, hn::Add(set(1.0f), e));
  const Vector large = hn::Div(set(1.0f), hn::Add(set(1.0f), e));
  return hn::IfThenElse(hn::Lt(x, set(0.0f)), small, large);
}

void unary_range(UnaryOp op, const float* x, float* y, int64_t size) {
  const Vector zero = set(0.0f), one = set(1.0f);
  switch (op) {
    case UnaryOp::negate:
      return map(x, y, size, [](Vector v) HWY_ATTR { return hn::Neg(v); });
    case UnaryOp::exp:
      return map(x, y, size, [](Vector v) HWY_ATTR { return exp(v); });
    case UnaryOp::log:
      return map_scalar(x, y, size, [](float v) { return std::log(v); });
    case UnaryOp::sqrt:
      return map(x, y, size, [](Vector v) HWY_ATTR { return hn::Sqrt(v); });
    case UnaryOp::square:
      return map(x, y, size, [](Vector v) HWY_ATTR { return hn::Mul(v, v); });
    case UnaryOp::abs:
      return map(x, y, size, [](Vector v) HWY_ATTR { return hn::Abs(v); });
    case UnaryOp::reciprocal:
      return map(x, y, size, [=](Vector v) HWY_ATTR { return hn::Div(one, v); });
    case UnaryOp::tanh:
      return map_scalar(x, y, size, [](float v) { return std::tanh(v); });
    case UnaryOp::sigmoid:
      return map(x, y, size, [](Vector v) HWY_ATTR { return sigmoid(v); });
    case UnaryOp::log_sigmoid:
      return map_scalar(x, y, size, [](float v) { return (v < 0.0f ? v : 0.0f) - std::log1p(std::exp(-std::abs(v))); });
    case UnaryOp::relu:  // keeps NaN
      return map(x, y, size, [=](Vector v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, zero), zero, v); });
    case UnaryOp::gelu:
      return map(x, y, size, [](Vector v) HWY_ATTR { return gelu(v); });
    case UnaryOp::nonzero:
      return map(x, y, size, [=](Vector v) HWY_ATTR { return hn::IfThenElse(hn::Eq(v, zero), zero, one); });
  }
}

HWY_INLINE Vector gelu_derivative(Vector x) {
  const Normal n = normal(x);
  return hn::MulAdd(hn::Mul(x, n.bell), set(0.398942280f), n.integral);
}

void unary_backward_range(UnaryOp op, const float* x, const float* y, const float* dy, float* dx, int64_t size) {
  const Vector zero = set(0.0f), one = set(1.0f);
  switch (op) {
    case UnaryOp::negate:
      return chain(x, y, dy, dx, size, [=](Vector, Vector) HWY_ATTR { return hn::Neg(one); });
    case UnaryOp::exp:
      return chain(x, y, dy, dx, size, [](Vector, Vector r) HWY_ATTR { return r; });
    case UnaryOp::log:
      return chain(x, y, dy, dx, size, [=](Vector v, Vector) HWY_ATTR { return hn::Div(one, v); });
    case UnaryOp::sqrt:
      return chain(x, y, dy, dx, size, [](Vector, Vector r) HWY_ATTR { return hn::Div(set(0.5f), r); });
    case UnaryOp::square:
      return chain(x, y, dy, dx, size, [](Vector v, Vector) HWY_ATTR { return hn::Add(v, v); });
    case UnaryOp::abs:
      return chain(x, y, dy, dx, size, [=](Vector v, Vector) HWY_ATTR {
        return hn::IfThenElse(hn::Eq(v, zero), zero, hn::CopySign(one, v));
      });
    case UnaryOp::reciprocal:
      return chain(x, y, dy, dx, size, [](Vector, Vector r) HWY_ATTR { return hn::Neg(hn::Mul(r, r)); });
    case UnaryOp::tanh:  // this and sigmoid from x: near its limits y has lost its distance to them
      return chain(x, y, dy, dx, size, [](Vector v, Vector) HWY_ATTR {
        const Vector twice = hn::Add(v, v);
        return hn::Mul(set(4.0f), hn::Mul(sigmoid(twice), sigmoid(hn::Neg(twice))));
      });
    case UnaryOp::sigmoid:
      return chain(x, y, dy, dx, size,
                   [](Vector v, Vector) HWY_ATTR { return hn::Mul(sigmoid(v), sigmoid(hn::Neg(v))); });
    case UnaryOp::log_sigmoid:
      return chain(x, y, dy, dx, size, [](Vector v, Vector) HWY_ATTR { return sigmoid(hn::Neg(v)); });
    case UnaryOp::relu:
      return chain(x, y, dy, dx, size,
                   [=](Vector v, Vector) HWY_ATTR { return hn::IfThenElse(hn::Le(v, zero), zero, one); });
    case UnaryOp::gelu:
      return chain(x, y, dy, dx, size, [](Vector v, Vector) HWY_ATTR { return gelu_derivative(v); });
    case UnaryOp::nonzero:
      return chain(x, y, dy, dx, size, [=](Vector, Vector) HWY_ATTR { return zero; });
  }
}

void gelu_backward_stored_range(const BFloat16* x, const BFloat16* dy, BFloat16* dx, int64_t size) {
  sweep(size, [=](int64_t i, int64_t n)
                  HWY_ATTR { store(hn::Mul(load(dy + i, n), gelu_derivative(load(x + i, n))), dx + i, n); });
}

void scale_add_range(float alpha, const float* x, float beta, float gamma, float* y, int64_t size) {
  const Vector a = set(alpha), b = set(beta), c = set(gamma);
  if (beta == 0.0f) {  // y may hold anything, even NaN
    return map(x, y, size, [=](Vector v) HWY_ATTR { return hn::MulAdd(a, v, c); });
  }
  sweep(size, [=](int64_t i, int64_t n)
                  HWY_ATTR { store(hn::MulAdd(a, load(x + i, n), hn::MulAdd(b, load(y + i, n), c)), y + i, n); });
}

template <class Op>
HWY_INLINE void activate_with(const float* x, const float* residual, float* y, int64_t size, Op op) {
  if (residual == nullptr) return map(x, y, size, op);
  sweep(size,
        [=](int64_t i, int64_t n) HWY_ATTR { store(hn::Add(op(load(x + i, n)), load(residual + i, n)), y + i, n); });
}

void activate_range(Activation activation, const float* x, const float* residual, float* y, int64_t size) {
  const Vector zero = set(0.0f);
  switch (activation) {
    case Activation::none:
      return activate_with(x, residual, y, size, [](Vector v) HWY_ATTR { return v; });
    case Activation::gelu:
      return activate_with(x, residual, y, size, [](Vector v) HWY_ATTR { return gelu(v); });
    case Activation::relu:
      return activate_with(x, residual, y, size,
                           [=](Vector v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, zero), zero, v); });
  }
}

void activate_stored_range(Activation activation, const BFloat16* x, BFloat16* y, int64_t size) {
  if (activation == Activation::gelu) return map(x, y, size, [](Vector v) HWY_ATTR { return gelu(v); });
  map(x, y, size, [zero = set(0.0f)](Vector v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, zero), zero, v); });
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(unary_range);
HWY_EXPORT(unary_backward_range);
HWY_EXPORT(scale_add_range);
HWY_EXPORT(activate_range);
HWY_EXPORT(activate_stored_range);
HWY_EXPORT(gelu_backward_stored_range);

void CpuBackend::unary(UnaryOp op, ConstView x, View y) {
  expect_f32(x, "unary");
  parallel_for(x.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(unary_range)(op, x.as<float>() + begin, y.as<float>() + begin, end - begin);
  });
}

void CpuBackend::unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) {
  if (op == UnaryOp::gelu && dy.dtype == DType::bf16) {
    return parallel_for(dy.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(gelu_backward_stored_range)
      (x.as<BFloat16>() + begin, dy.as<BFloat16>() + begin, dx.as<BFloat16>() + begin, end - begin);
    });
  }
  expect_f32(dy, "unary_backward");
  parallel_for(dy.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
    const float* input = x ? x.as<float>() : dy.as<float>();
    const float* result = y ? y.as<float>() + begin : nullptr;
    HWY_DYNAMIC_DISPATCH(unary_backward_range)
    (op, input + begin, result, dy.as<float>() + begin, dx.as<float>() + begin, end - begin);
  });
}

void CpuBackend::scale_add(double alpha, ConstView x, double beta, double gamma, View y) {
  expect_f32(x, "scale_add");
  parallel_for(x.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(scale_add_range)
    (static_cast<float>(alpha), x.as<float>() + begin, static_cast<float>(beta), static_cast<float>(gamma),
     y.as<float>() + begin, end - begin);
  });
}

void activate(Activation activation, const float* x, const float* residual, float* y, int64_t size) {
  parallel_for(size, elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(activate_range)
    (activation, x + begin, residual == nullptr ? nullptr : residual + begin, y + begin, end - begin);
  });
}

void activate(Activation activation, const BFloat16* x, BFloat16* y, int64_t size) {
  parallel_for(size, elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(activate_stored_range)(activation, x + begin, y + begin, end - begin);
  });
}

}  // namespace astroclip::cpu
#endif
