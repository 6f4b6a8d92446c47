#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/binary.cpp"
#include <hwy/foreach_target.h>

#include <array>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// One run of y; an operand with step 0 is one value for the whole run.
template <class Op>
HWY_INLINE void combine(const float* a, bool a_moves, const float* b, bool b_moves, float* y, int64_t size, Op op) {
  const Vector a_value = set(*a), b_value = set(*b);
  sweep(size, [=](int64_t i, int64_t n) HWY_ATTR {
    store(op(a_moves ? load(a + i, n) : a_value, b_moves ? load(b + i, n) : b_value), y + i, n);
  });
}

void binary_run(BinaryOp op, const float* a, bool a_moves, const float* b, bool b_moves, float* y, int64_t size) {
  switch (op) {
    case BinaryOp::add:
      return combine(a, a_moves, b, b_moves, y, size, [](Vector u, Vector v) HWY_ATTR { return hn::Add(u, v); });
    case BinaryOp::subtract:
      return combine(a, a_moves, b, b_moves, y, size, [](Vector u, Vector v) HWY_ATTR { return hn::Sub(u, v); });
    case BinaryOp::multiply:
      return combine(a, a_moves, b, b_moves, y, size, [](Vector u, Vector v) HWY_ATTR { return hn::Mul(u, v); });
    case BinaryOp::divide:
      return combine(a, a_moves, b, b_moves, y, size, [](Vector u, Vector v) HWY_ATTR { return hn::Div(u, v); });
    case BinaryOp::maximum:  // keeps NaN
      return combine(a, a_moves, b, b_moves, y, size, [](Vector u, Vector v) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Lt(u, v), hn::IsNaN(v)), v, u);
      });
  }
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(binary_run);

namespace {

/// The axes of a broadcast, neighbours merged wherever both operands step through them evenly.
struct Plan {
  int rank = 0;
  std::array<int64_t, Shape::max_rank> extent{}, a_stride{}, b_stride{};
};

std::array<int64_t, Shape::max_rank> broadcast_strides(const Shape& x, const Shape& target) {
  std::array<int64_t, Shape::max_rank> strides{};
  int64_t stride = 1;
  for (int axis = x.rank() - 1, to = target.rank() - 1; axis >= 0; --axis, --to) {
    strides[static_cast<size_t>(to)] = x[axis] == 1 ? 0 : stride;
    stride *= x[axis];
  }
  return strides;
}

/// Innermost axis first.
Plan plan_broadcast(const Shape& a, const Shape& b, const Shape& y) {
  const auto a_strides = broadcast_strides(a, y), b_strides = broadcast_strides(b, y);
  Plan plan;
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

}  // namespace

void CpuBackend::binary(BinaryOp op, ConstView a, ConstView b, View y) {
  expect_f32(a, "binary");
  expect_f32(b, "binary");
  if (y.numel() == 0) return;
  const Plan plan = plan_broadcast(a.shape, b.shape, y.shape);
  const int64_t inner = plan.extent[0];
  const bool a_moves = plan.a_stride[0] != 0, b_moves = plan.b_stride[0] != 0;
  // Elements are the unit of sharing, so that one long run is split as well as many short ones.
  parallel_for(y.numel(), elementwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end;) {
      const int64_t within = at % inner;
      const int64_t size = std::min(inner - within, end - at);
      int64_t rest = at / inner, from_a = within * plan.a_stride[0], from_b = within * plan.b_stride[0];
      for (int axis = 1; axis < plan.rank; ++axis) {
        const auto k = static_cast<size_t>(axis);
        from_a += rest % plan.extent[k] * plan.a_stride[k];
        from_b += rest % plan.extent[k] * plan.b_stride[k];
        rest /= plan.extent[k];
      }
      HWY_DYNAMIC_DISPATCH(binary_run)
      (op, a.as<float>() + from_a, a_moves, b.as<float>() + from_b, b_moves, y.as<float>() + at, size);
      at += size;
    }
  });
}

}  // namespace astroclip::cpu
#endif
