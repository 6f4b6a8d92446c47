#include <algorithm>
#include <numeric>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

/// The shape of x with extent 1 on the reduced axes; all axes if none are given.
Shape kept_shape(const char* op, const Shape& shape, std::vector<int> axes) {
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(shape.rank()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  Shape kept = shape;
  for (const int axis : axes) {
    if (axis < -shape.rank() || axis >= shape.rank()) refuse(op, "{} has no axis {}", shape.str(), axis);
    kept = kept.with(axis, 1);
  }
  return kept;
}

Shape squeezed(const Shape& shape, const std::vector<int>& axes) {
  std::vector<int64_t> extents;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool reduced = axes.empty() || std::ranges::any_of(axes, [&](int named) {
                           return named == axis || named + shape.rank() == axis;
                         });
    if (!reduced) extents.push_back(shape[axis]);
  }
  return Shape(extents);
}

Tensor reduced(const char* op, const Tensor& x, const std::vector<int>& axes, bool keep, double scale) {
  Backend& backend = enter(op, {&x});
  const Shape kept = kept_shape(op, x.shape(), axes);
  Tensor y = like(x, kept);
  backend.reduce(ReduceOp::sum, x, y);
  if (scale != 1.0) backend.scale_add(scale, y, 0.0, 0.0, y);
  const Tensor result = keep ? y : y.view_as(squeezed(x.shape(), axes));
  return autograd::record(op, result, {x}, [kept, scale, shape = x.shape()](const Tensor& dy) {
    Backend& device = backend_of(dy.device());
    Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
    device.binary(BinaryOp::add, dx, dy.view_as(kept), dx);
    if (scale != 1.0) device.scale_add(scale, dx, 0.0, 0.0, dx);
    return std::vector<Tensor>{dx};
  });
}

}  // namespace

Tensor reduce_to(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  const int extra = gradient.rank() - shape.rank();
  Shape kept = gradient.shape();
  for (int axis = 0; axis < gradient.rank(); ++axis) {
    if (axis < extra || shape[axis - extra] == 1) kept = kept.with(axis, 1);
  }
  Tensor sum = like(gradient, kept);
  backend_of(gradient.device()).reduce(ReduceOp::sum, gradient, sum);
  return sum.view_as(shape);
}

Tensor sum(const Tensor& x, std::vector<int> axes, bool keep) { return reduced("sum", x, axes, keep, 1.0); }

Tensor mean(const Tensor& x, std::vector<int> axes, bool keep) {
  const int64_t count = x.numel() / std::max<int64_t>(1, kept_shape("mean", x.shape(), axes).numel());
  return reduced("mean", x, axes, keep, 1.0 / static_cast<double>(count));
}

}  // namespace astroclip::ops
