#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/exp_sum.h"
#include "backend/cuda/rows.h"

namespace astroclip::cuda {

namespace {

struct Softmax {
  const float *x, *shift;  ///< the shift is optional
  float scale;
  float* y;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> in(x + row * width, width);
    const auto exponents = [&](int slot, int column) {
      auto v = in(slot, column);
      const auto centre = shift == nullptr ? Floats<Rows::vector>{} : load<Rows::vector>(shift + column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) v[i] = scale * (v[i] - centre[i]);
      return v;
    };
    ExpSum all;
    Rows::each(width, [&](int slot, int column) { all.add(exponents(slot, column)); });
    all.gather<Rows>();
    const float factor = 1.0f / all.sum;
    Rows::each(width, [&](int slot, int column) {
      auto v = exponents(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) v[i] = expf(v[i] - all.top) * factor;
      store(y + row * width + column, v);
    });
  }
};

struct SoftmaxBackward {
  const float *dy, *y;
  float* dx;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> gradient(dy + row * width, width), share(y + row * width, width);
    float weighted = 0.0f;
    Rows::each(width, [&](int slot, int column) {
      const auto g = gradient(slot, column), p = share(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) weighted += g[i] * p[i];
    });
    weighted = Rows::template over<Sum>(weighted);
    Rows::each(width, [&](int slot, int column) {
      auto g = gradient(slot, column);
      const auto p = share(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) g[i] = p[i] * (g[i] - weighted);
      store(dx + row * width + column, g);
    });
  }
};

}  // namespace

void CudaBackend::softmax(ConstView x, ConstView shift, double scale, View y) {
  expect_f32(x, "softmax");
  for_rows(rows_of(x.shape), x.shape[-1], aligned(x.data, shift.data, y.data),
           Softmax{x.as<float>(), shift.as<float>(), static_cast<float>(scale), y.as<float>()});
}

void CudaBackend::softmax_backward(ConstView dy, ConstView y, View dx) {
  expect_f32(dy, "softmax_backward");
  for_rows(rows_of(y.shape), y.shape[-1], aligned(dy.data, y.data, dx.data),
           SoftmaxBackward{dy.as<float>(), y.as<float>(), dx.as<float>()});
}

}  // namespace astroclip::cuda
