#include <limits>

#include "backend/axes_internal.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

template <int N>
__device__ Floats<N> combine(BinaryOp op, const Floats<N>& a, const Floats<N>& b) {
  Floats<N> y = a;
  switch (op) {
    case BinaryOp::add:
#pragma unroll
      for (int i = 0; i < N; ++i) y[i] += b[i];
      break;
    case BinaryOp::subtract:
#pragma unroll
      for (int i = 0; i < N; ++i) y[i] -= b[i];
      break;
    case BinaryOp::multiply:
#pragma unroll
      for (int i = 0; i < N; ++i) y[i] *= b[i];
      break;
    case BinaryOp::divide:
#pragma unroll
      for (int i = 0; i < N; ++i) y[i] /= b[i];
      break;
    case BinaryOp::maximum:
#pragma unroll
      for (int i = 0; i < N; ++i) y[i] = larger(y[i], b[i]);
      break;
  }
  return y;
}

/// N elements along the innermost axis, or one for all.
template <int N>
__device__ Floats<N> operand(const float* from, bool moves) {
  if (moves) return load<N>(from);
  const float value = *from;
  Floats<N> values;
#pragma unroll
  for (int i = 0; i < N; ++i) values[i] = value;
  return values;
}

/// Index is 32 bits wide where they suffice, because divisions of 64 bits are slow.
template <class Index>
struct Binary {
  BinaryOp op;
  Broadcast plan;
  const float *a, *b;
  float* y;
  template <int N>
  __device__ void run(int64_t at) const {
    auto rest = static_cast<Index>(at);
    int64_t from_a = 0, from_b = 0;
    for (int axis = 0; axis < plan.rank - 1; ++axis) {
      const auto extent = static_cast<Index>(plan.extent[axis]), above = rest / extent;
      from_a += static_cast<int64_t>(rest - above * extent) * plan.a_stride[axis];
      from_b += static_cast<int64_t>(rest - above * extent) * plan.b_stride[axis];
      rest = above;
    }
    from_a += static_cast<int64_t>(rest) * plan.a_stride[plan.rank - 1];
    from_b += static_cast<int64_t>(rest) * plan.b_stride[plan.rank - 1];
    store(y + at,
          combine(op, operand<N>(a + from_a, plan.a_stride[0] != 0), operand<N>(b + from_b, plan.b_stride[0] != 0)));
  }
};

}  // namespace

void CudaBackend::binary(BinaryOp op, ConstView a, ConstView b, View y) {
  expect_f32(a, "binary");
  expect_f32(b, "binary");
  if (y.numel() == 0) return;
  const Broadcast plan = plan_broadcast(a.shape, b.shape, y.shape);
  const bool wide = aligned(a.data, b.data, y.data) && (plan.rank == 1 || plan.extent[0] % 4 == 0);
  if (y.numel() <= std::numeric_limits<uint32_t>::max()) {
    for_elements<4>(y.numel(), wide, Binary<uint32_t>{op, plan, a.as<float>(), b.as<float>(), y.as<float>()});
  } else {
    for_elements<4>(y.numel(), wide, Binary<uint64_t>{op, plan, a.as<float>(), b.as<float>(), y.as<float>()});
  }
}

}  // namespace astroclip::cuda
