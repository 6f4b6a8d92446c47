#include "backend/axes_internal.h"

namespace astroclip {

namespace {

Extents broadcast_strides(const Shape& x, const Shape& target) {
  Extents strides{};
  int64_t stride = 1;
  for (int axis = x.rank() - 1, to = target.rank() - 1; axis >= 0; --axis, --to) {
    strides[static_cast<size_t>(to)] = x[axis] == 1 ? 0 : stride;
    stride *= x[axis];
  }
  return strides;
}

}  // namespace

Broadcast plan_broadcast(const Shape& a, const Shape& b, const Shape& y) {
  const Extents a_strides = broadcast_strides(a, y), b_strides = broadcast_strides(b, y);
  Broadcast plan;
  for (int axis = y.rank() - 1; axis >= 0; --axis) {
    const auto at = static_cast<size_t>(axis);
    const int64_t extent = y[axis];
    if (extent == 1) continue;
    if (plan.rank > 0) {
      const auto last = static_cast<size_t>(plan.rank - 1);
      if (a_strides[at] == plan.a_stride[last] * plan.extent[last] &&
          b_strides[at] == plan.b_stride[last] * plan.extent[last]) {
        plan.extent[last] *= extent;
        continue;
      }
    }
    const auto next = static_cast<size_t>(plan.rank++);
    plan.extent[next] = extent;
    plan.a_stride[next] = a_strides[at];
    plan.b_stride[next] = b_strides[at];
  }
  if (plan.rank == 0) plan = {1, {1}, {0}, {0}};
  return plan;
}

Walk plan_permutation(const Shape& x, std::span<const int> order) {
  Extents x_strides{};
  int64_t stride = 1;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    x_strides[static_cast<size_t>(axis)] = stride;
    stride *= x[axis];
  }
  Walk walk;
  for (const int axis : order) {
    if (x[axis] == 1) continue;
    const int64_t step = x_strides[static_cast<size_t>(axis)];
    const auto last = static_cast<size_t>(walk.rank - 1);
    if (walk.rank > 0 && walk.stride[last] == step * x[axis]) {
      walk.extent[last] *= x[axis];
      walk.stride[last] = step;
    } else {
      walk.extent[static_cast<size_t>(walk.rank)] = x[axis];
      walk.stride[static_cast<size_t>(walk.rank++)] = step;
    }
  }
  if (walk.rank == 0) walk = {1, {1}, {1}};
  return walk;
}

std::vector<Fold> plan_folds(const Shape& x, const Shape& y) {
  const auto reduced = [&](int axis) { return y[axis] == 1 && x[axis] != 1; };
  std::vector<Fold> folds;
  int64_t inner = 1, left = x.numel();
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    if (!reduced(axis)) {
      inner *= x[axis];
      continue;
    }
    int64_t middle = x[axis];
    while (axis > 0 && (reduced(axis - 1) || x[axis - 1] == 1)) middle *= x[--axis];
    left /= middle;
    folds.push_back({left / inner, middle, inner});
  }
  return folds;
}

}  // namespace astroclip
