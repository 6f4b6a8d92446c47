#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "backend/reference/reference_backend.h"
#include "base/rng.h"

namespace astroclip::reference {

namespace {

/// Reads element i as a double, whatever the dtype.
double load(ConstView x, int64_t i) {
  switch (x.dtype) {
    case DType::f32:
      return x.as<float>()[i];
    case DType::f64:
      return x.as<double>()[i];
    case DType::bf16:
      return static_cast<float>(x.as<BFloat16>()[i]);
    case DType::i32:
      return x.as<int32_t>()[i];
    case DType::i64:
      return static_cast<double>(x.as<int64_t>()[i]);
    case DType::u8:
      return x.as<uint8_t>()[i];
  }
  return 0.0;
}

void store(View y, int64_t i, double value) {
  switch (y.dtype) {
    case DType::f32:
      y.as<float>()[i] = static_cast<float>(value);
      break;
    case DType::f64:
      y.as<double>()[i] = value;
      break;
    case DType::bf16:
      y.as<BFloat16>()[i] = BFloat16(static_cast<float>(value));
      break;
    case DType::i32:
      y.as<int32_t>()[i] = static_cast<int32_t>(value);
      break;
    case DType::i64:
      y.as<int64_t>()[i] = static_cast<int64_t>(value);
      break;
    case DType::u8:
      y.as<uint8_t>()[i] = static_cast<uint8_t>(value);
      break;
  }
}

double sigmoid(double x) { return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x)); }

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::numbers::pi); }

double apply(UnaryOp op, double x) {
  switch (op) {
    case UnaryOp::negate:
      return -x;
    case UnaryOp::exp:
      return std::exp(x);
    case UnaryOp::log:
      return std::log(x);
    case UnaryOp::sqrt:
      return std::sqrt(x);
    case UnaryOp::square:
      return x * x;
    case UnaryOp::abs:
      return std::abs(x);
    case UnaryOp::reciprocal:
      return 1.0 / x;
    case UnaryOp::tanh:
      return std::tanh(x);
    case UnaryOp::sigmoid:
      return sigmoid(x);
    case UnaryOp::log_sigmoid:
      return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
    case UnaryOp::relu:
      return std::max(x, 0.0);
    case UnaryOp::gelu:
      return x * normal_cdf(x);
    case UnaryOp::nonzero:
      return x != 0.0 ? 1.0 : 0.0;
  }
  return 0.0;
}

double derivative(UnaryOp op, double x, double y) {
  switch (op) {
    case UnaryOp::negate:
      return -1.0;
    case UnaryOp::exp:
      return y;
    case UnaryOp::log:
      return 1.0 / x;
    case UnaryOp::sqrt:
      return 0.5 / y;
    case UnaryOp::square:
      return 2.0 * x;
    case UnaryOp::abs:
      return static_cast<double>((x > 0) - (x < 0));
    case UnaryOp::reciprocal:
      return -y * y;
    case UnaryOp::tanh:
      return 1.0 - y * y;
    case UnaryOp::sigmoid:
      return y * (1.0 - y);
    case UnaryOp::log_sigmoid:
      return sigmoid(-x);
    case UnaryOp::relu:
      return x <= 0 ? 0.0 : 1.0;
    case UnaryOp::gelu:
      return normal_cdf(x) + x * normal_density(x);
    case UnaryOp::nonzero:
      return 0.0;
  }
  return 0.0;
}

double apply(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::subtract:
      return a - b;
    case BinaryOp::multiply:
      return a * b;
    case BinaryOp::divide:
      return a / b;
    case BinaryOp::maximum:
      return a < b || std::isnan(b) ? b : a;
  }
  return 0.0;
}

using Strides = std::array<int64_t, Shape::max_rank>;

/// Strides of x aligned to the axes of `target` from the right, 0 along broadcast axes.
Strides broadcast_strides(const Shape& x, const Shape& target) {
  Strides strides{};
  int64_t stride = 1;
  for (int axis = x.rank() - 1, to = target.rank() - 1; axis >= 0; --axis, --to) {
    strides[to] = x[axis] == 1 ? 0 : stride;
    stride *= x[axis];
  }
  return strides;
}

}  // namespace

void ReferenceBackend::fill(View y, double value) {
  for (int64_t i = 0; i < y.numel(); ++i) store(y, i, value);
}

void ReferenceBackend::cast(ConstView x, View y) {
  for (int64_t i = 0; i < x.numel(); ++i) store(y, i, load(x, i));
}

void ReferenceBackend::unary(UnaryOp op, ConstView x, View y) {
  for (int64_t i = 0; i < x.numel(); ++i) y.as<double>()[i] = apply(op, x.as<double>()[i]);
}

void ReferenceBackend::unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) {
  for (int64_t i = 0; i < x.numel(); ++i) {
    dx.as<double>()[i] = dy.as<double>()[i] * derivative(op, x.as<double>()[i], y.as<double>()[i]);
  }
}

void ReferenceBackend::binary(BinaryOp op, ConstView a, ConstView b, View y) {
  const Strides a_strides = broadcast_strides(a.shape, y.shape);
  const Strides b_strides = broadcast_strides(b.shape, y.shape);
  const int rank = y.shape.rank();
  for (int64_t i = 0; i < y.numel(); ++i) {
    int64_t rest = i, at_a = 0, at_b = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const int64_t position = rest % y.shape[axis];
      rest /= y.shape[axis];
      at_a += position * a_strides[axis];
      at_b += position * b_strides[axis];
    }
    y.as<double>()[i] = apply(op, a.as<double>()[at_a], b.as<double>()[at_b]);
  }
}

void ReferenceBackend::scale_add(double alpha, ConstView x, double beta, double gamma, View y) {
  double* out = y.as<double>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    out[i] = alpha * x.as<double>()[i] + (beta == 0.0 ? 0.0 : beta * out[i]) + gamma;
  }
}

void ReferenceBackend::dropout(ConstView x, double p, uint64_t seed, View y) {
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  const double keep_scale = 1.0 / (1.0 - p);
  std::array<uint32_t, 4> block{};
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t counter = i / 4;
    if (i % 4 == 0) {
      block = philox({static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0}, key);
    }
    const bool kept = block[i % 4] * 0x1.0p-32 >= p;
    y.as<double>()[i] = x.as<double>()[i] * (kept ? keep_scale : 0.0);
  }
}

}  // namespace astroclip::reference
