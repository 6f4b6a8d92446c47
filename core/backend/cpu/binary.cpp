#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/binary.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>

#include "backend/axes_internal.h"
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

void CpuBackend::binary(BinaryOp op, ConstView a, ConstView b, View y) {
  expect_f32(a, "binary");
  expect_f32(b, "binary");
  if (y.numel() == 0) return;
  const Broadcast plan = plan_broadcast(a.shape, b.shape, y.shape);
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
