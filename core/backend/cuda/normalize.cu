#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/rows.h"

namespace astroclip::cuda {

namespace {

__device__ float divisor_of(float norm, float epsilon) { return norm < epsilon ? epsilon : norm; }

template <class Rows, class A, class B>
__device__ float dot(const A& a, const B& b, int width) {
  float sum = 0.0f;
  Rows::each(width, [&](int slot, int column) {
    const auto left = a(slot, column), right = b(slot, column);
#pragma unroll
    for (int i = 0; i < Rows::vector; ++i) sum += left[i] * right[i];
  });
  return Rows::template over<Sum>(sum);
}

struct Normalize {
  const float *x, *length;  ///< the length is optional
  float epsilon;
  float *y, *norm;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> in(x + row * width, width);
    const float size = sqrtf(dot<Rows>(in, in, width)), divisor = divisor_of(size, epsilon);
    const float factor = length == nullptr ? 1.0f : length[row];
    if (Rows::leads()) norm[row] = size;
    Rows::each(width, [&](int slot, int column) {
      auto v = in(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) v[i] = v[i] / divisor * factor;
      store(y + row * width + column, v);
    });
  }
};

struct NormalizeBackward {
  const float *dy, *y, *norm;
  float epsilon;
  float* dx;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> gradient(dy + row * width, width), unit(y + row * width, width);
    // Below epsilon the divisor is constant, so nothing flows through the norm.
    const float flow = dot<Rows>(gradient, unit, width), along = norm[row] > epsilon ? flow : 0.0f;
    const float divisor = divisor_of(norm[row], epsilon);
    Rows::each(width, [&](int slot, int column) {
      auto g = gradient(slot, column);
      const auto u = unit(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) g[i] = (g[i] - along * u[i]) / divisor;
      store(dx + row * width + column, g);
    });
  }
};

struct WeightNormBackward {
  const float *dy, *x, *length, *norm;
  float epsilon;
  float *dx, *dlength;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> gradient(dy + row * width, width), in(x + row * width, width);
    const float divisor = divisor_of(norm[row], epsilon), flow = dot<Rows>(gradient, in, width) / divisor;
    const float along = norm[row] > epsilon ? flow / divisor : 0.0f, factor = length[row] / divisor;
    if (Rows::leads()) dlength[row] = flow;
    Rows::each(width, [&](int slot, int column) {
      auto g = gradient(slot, column);
      const auto v = in(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) g[i] = factor * (g[i] - along * v[i]);
      store(dx + row * width + column, g);
    });
  }
};

}  // namespace

void CudaBackend::normalize_rows(ConstView x, double epsilon, View y, View norm) {
  expect_f32(x, "normalize_rows");
  for_rows(rows_of(x.shape), x.shape[-1], aligned(x.data, y.data),
           Normalize{x.as<float>(), nullptr, static_cast<float>(epsilon), y.as<float>(), norm.as<float>()});
}

void CudaBackend::normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) {
  expect_f32(dy, "normalize_rows_backward");
  for_rows(
      rows_of(y.shape), y.shape[-1], aligned(dy.data, y.data, dx.data),
      NormalizeBackward{dy.as<float>(), y.as<float>(), norm.as<float>(), static_cast<float>(epsilon), dx.as<float>()});
}

void CudaBackend::weight_norm(ConstView x, ConstView length, double epsilon, View y, View norm) {
  expect_f32(x, "weight_norm");
  for_rows(rows_of(x.shape), x.shape[-1], aligned(x.data, y.data),
           Normalize{x.as<float>(), length.as<float>(), static_cast<float>(epsilon), y.as<float>(), norm.as<float>()});
}

void CudaBackend::weight_norm_backward(const WeightNormBackwardArguments& a) {
  expect_f32(a.dy, "weight_norm_backward");
  for_rows(rows_of(a.x.shape), a.x.shape[-1], aligned(a.dy.data, a.x.data, a.dx.data),
           WeightNormBackward{a.dy.as<float>(), a.x.as<float>(), a.length.as<float>(), a.norm.as<float>(),
                              static_cast<float>(a.epsilon), a.dx.as<float>(), a.dlength.as<float>()});
}

}  // namespace astroclip::cuda
