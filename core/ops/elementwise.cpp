#include <algorithm>
#include <vector>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

Tensor unary(const char* name, UnaryOp op, const Tensor& x) {
  Backend& backend = enter(name, {&x});
  Tensor y = like(x);
  backend.unary(op, x, y);
  if (!autograd::needs_gradient({&x})) return y;
  return autograd::record(name, y, {x}, [op, x = x.detach(), y = y.detach()](const Tensor& dy) {
    Tensor dx = like(x);
    backend_of(x.device()).unary_backward(op, x, y, dy, dx);
    return std::vector<Tensor>{dx};
  });
}

Shape broadcast_shape(const char* name, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> extents(static_cast<size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const int64_t from_a = i <= a.rank() ? a[-i] : 1;
    const int64_t from_b = i <= b.rank() ? b[-i] : 1;
    if (from_a != from_b && from_a != 1 && from_b != 1) refuse(name, "cannot broadcast {} with {}", a.str(), b.str());
    extents[static_cast<size_t>(rank - i)] = from_a == 1 ? from_b : from_a;
  }
  return Shape(extents);
}

/// Calls the kernel without recording.
Tensor apply(BinaryOp op, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y = like(a, shape);
  backend_of(a.device()).binary(op, a, b, y);
  return y;
}

Tensor apply(BinaryOp op, const Tensor& a, const Tensor& b) {
  return apply(op, a, b, broadcast_shape("", a.shape(), b.shape()));
}

Tensor scaled(const Tensor& x, double scale, double shift = 0.0) {
  Tensor y = like(x);
  backend_of(x.device()).scale_add(scale, x, 0.0, shift, y);
  return y;
}

Tensor apply(UnaryOp op, const Tensor& x) {
  Tensor y = like(x);
  backend_of(x.device()).unary(op, x, y);
  return y;
}

/// 1 where a ≥ b, that is where max(a, b) − a is zero; else 0.
Tensor first_is_larger(const Tensor& a, const Tensor& b) {
  const Tensor excess = apply(BinaryOp::subtract, apply(BinaryOp::maximum, a, b), a);
  return scaled(apply(UnaryOp::nonzero, excess), -1.0, 1.0);
}

/// The gradients of a and b, before reduction over broadcast axes; of a product and a difference only those that are
/// needed.
std::vector<Tensor> binary_gradients(BinaryOp op, const Tensor& a, const Tensor& b, const Tensor& dy, bool needs_a,
                                     bool needs_b) {
  switch (op) {
    case BinaryOp::add:
      return {dy, dy};
    case BinaryOp::subtract:
      return {dy, needs_b ? scaled(dy, -1.0) : Tensor()};
    case BinaryOp::multiply:
      return {needs_a ? apply(BinaryOp::multiply, dy, b) : Tensor(),
              needs_b ? apply(BinaryOp::multiply, dy, a) : Tensor()};
    case BinaryOp::divide: {
      const Tensor da = apply(BinaryOp::divide, dy, b);
      const Tensor quotient = apply(BinaryOp::divide, a, b);
      return {da, scaled(apply(BinaryOp::multiply, da, quotient), -1.0)};
    }
    case BinaryOp::maximum: {
      const Tensor da = apply(BinaryOp::multiply, dy, first_is_larger(a, b));
      return {da, apply(BinaryOp::subtract, dy, da)};
    }
  }
  return {};
}

Tensor binary(const char* name, BinaryOp op, const Tensor& a, const Tensor& b) {
  enter(name, {&a, &b});
  const Tensor y = apply(op, a, b, broadcast_shape(name, a.shape(), b.shape()));
  if (!autograd::needs_gradient({&a, &b})) return y;
  const bool needs_values = op != BinaryOp::add && op != BinaryOp::subtract;
  const bool needs_a = a.requires_grad(), needs_b = b.requires_grad();
  const Shape a_shape = a.shape(), b_shape = b.shape();
  return autograd::record(
      name, y, {a, b},
      [=, a = needs_values ? a.detach() : Tensor(), b = needs_values ? b.detach() : Tensor()](const Tensor& dy) {
        const std::vector<Tensor> gradients = binary_gradients(op, a, b, dy, needs_a, needs_b);
        return std::vector<Tensor>{needs_a ? reduce_to(gradients[0], a_shape) : Tensor(),
                                   needs_b ? reduce_to(gradients[1], b_shape) : Tensor()};
      });
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return binary("add", BinaryOp::add, a, b); }
Tensor subtract(const Tensor& a, const Tensor& b) { return binary("subtract", BinaryOp::subtract, a, b); }
Tensor multiply(const Tensor& a, const Tensor& b) { return binary("multiply", BinaryOp::multiply, a, b); }
Tensor divide(const Tensor& a, const Tensor& b) { return binary("divide", BinaryOp::divide, a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) { return binary("maximum", BinaryOp::maximum, a, b); }

Tensor affine(const Tensor& x, double scale, double shift) {
  enter("affine", {&x});
  return autograd::record("affine", scaled(x, scale, shift), {x},
                          [scale](const Tensor& dy) { return std::vector<Tensor>{scaled(dy, scale)}; });
}

Tensor negate(const Tensor& x) { return unary("negate", UnaryOp::negate, x); }
Tensor exp(const Tensor& x) { return unary("exp", UnaryOp::exp, x); }
Tensor log(const Tensor& x) { return unary("log", UnaryOp::log, x); }
Tensor sqrt(const Tensor& x) { return unary("sqrt", UnaryOp::sqrt, x); }
Tensor square(const Tensor& x) { return unary("square", UnaryOp::square, x); }
Tensor abs(const Tensor& x) { return unary("abs", UnaryOp::abs, x); }
Tensor reciprocal(const Tensor& x) { return unary("reciprocal", UnaryOp::reciprocal, x); }
Tensor tanh(const Tensor& x) { return unary("tanh", UnaryOp::tanh, x); }
Tensor sigmoid(const Tensor& x) { return unary("sigmoid", UnaryOp::sigmoid, x); }
Tensor log_sigmoid(const Tensor& x) { return unary("log_sigmoid", UnaryOp::log_sigmoid, x); }
Tensor relu(const Tensor& x) { return unary("relu", UnaryOp::relu, x); }
Tensor gelu(const Tensor& x) { return unary("gelu", UnaryOp::gelu, x); }

Tensor nonzero(const Tensor& x) {
  enter("nonzero", {&x});
  return apply(UnaryOp::nonzero, x);
}

Tensor cast(const Tensor& x, DType dtype) {
  const auto converted = [](const Tensor& from, DType to) {
    Tensor y = Tensor::empty(from.shape(), to, from.device());
    backend_of(from.device()).cast(from, y);
    return y;
  };
  if (x.dtype() == dtype) return x;
  return autograd::record("cast", converted(x, dtype), {x}, [converted, from = x.dtype()](const Tensor& dy) {
    return std::vector<Tensor>{converted(dy, from)};
  });
}

Tensor dropout(const Tensor& x, double p, uint64_t seed) {
  if (p == 0.0) return x;
  if (p < 0.0 || p >= 1.0) refuse("dropout", "the rate must lie in [0, 1), found {}", p);
  enter("dropout", {&x});
  const auto masked = [p, seed](const Tensor& values) {
    Tensor y = like(values);
    backend_of(values.device()).dropout(values, p, seed, y);
    return y;
  };
  return autograd::record("dropout", masked(x), {x},
                          [masked](const Tensor& dy) { return std::vector<Tensor>{masked(dy)}; });
}

}  // namespace astroclip::ops
