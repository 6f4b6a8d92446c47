#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/gelu.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

__device__ float sigmoid(float x) {
  const float e = expf(-fabsf(x));  // never overflows
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

__device__ float apply(UnaryOp op, float x) {
  switch (op) {
    case UnaryOp::negate:
      return -x;
    case UnaryOp::exp:
      return expf(x);
    case UnaryOp::log:
      return logf(x);
    case UnaryOp::sqrt:
      return sqrtf(x);
    case UnaryOp::square:
      return x * x;
    case UnaryOp::abs:
      return fabsf(x);
    case UnaryOp::reciprocal:
      return 1.0f / x;
    case UnaryOp::tanh:
      return tanhf(x);
    case UnaryOp::sigmoid:
      return sigmoid(x);
    case UnaryOp::log_sigmoid:
      return (x < 0.0f ? x : 0.0f) - log1pf(expf(-fabsf(x)));
    case UnaryOp::relu:  // keeps NaN
      return x < 0.0f ? 0.0f : x;
    case UnaryOp::gelu:
      return gelu<float>(x);
    case UnaryOp::nonzero:
      return x == 0.0f ? 0.0f : 1.0f;
  }
  return 0.0f;
}

/// Whether slope() takes y = op(x) instead of x.
bool slope_takes_result(UnaryOp op) { return op == UnaryOp::exp || op == UnaryOp::sqrt || op == UnaryOp::reciprocal; }

/// The derivative where x, or y if slope_takes_result, is `value`.
__device__ float slope(UnaryOp op, float value) {
  switch (op) {
    case UnaryOp::negate:
      return -1.0f;
    case UnaryOp::exp:
      return value;
    case UnaryOp::log:
      return 1.0f / value;
    case UnaryOp::sqrt:
      return 0.5f / value;
    case UnaryOp::square:
      return 2.0f * value;
    case UnaryOp::abs:
      return value == 0.0f ? 0.0f : copysignf(1.0f, value);
    case UnaryOp::reciprocal:
      return -value * value;
    case UnaryOp::tanh:  // this and sigmoid from x: near its limits y has lost its distance to them
      return 4.0f * (sigmoid(2.0f * value) * sigmoid(-2.0f * value));
    case UnaryOp::sigmoid:
      return sigmoid(value) * sigmoid(-value);
    case UnaryOp::log_sigmoid:
      return sigmoid(-value);
    case UnaryOp::relu:
      return value <= 0.0f ? 0.0f : 1.0f;
    case UnaryOp::gelu:
      return gelu_slope<float>(value);
    case UnaryOp::nonzero:
      return 0.0f;
  }
  return 0.0f;
}

struct Unary {
  UnaryOp op;
  const float* x;
  float* y;
  template <int N>
  __device__ void run(int64_t at) const {
    Floats<N> values = load<N>(x + at);
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = apply(op, values[i]);
    store(y + at, values);
  }
};

struct UnaryBackward {
  UnaryOp op;
  const float *of, *dy;  ///< x or y, see slope
  float* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const Floats<N> values = load<N>(of + at);
    Floats<N> gradient = load<N>(dy + at);
#pragma unroll
    for (int i = 0; i < N; ++i) gradient[i] *= slope(op, values[i]);
    store(dx + at, gradient);
  }
};

template <class T>
struct GeluBackward {
  const T *x, *dy;
  T* dx;
  template <int N>
  __device__ void run(int64_t at) const {
    const Floats<N> values = load<N>(x + at);
    Floats<N> gradient = load<N>(dy + at);
#pragma unroll
    for (int i = 0; i < N; ++i) gradient[i] *= gelu_slope<T>(values[i]);
    store(dx + at, gradient);
  }
};

struct ScaleAdd {
  float alpha, beta, gamma;
  const float* x;
  float* y;
  template <int N>
  __device__ void run(int64_t at) const {
    Floats<N> values = load<N>(x + at), sum;
    if (beta == 0.0f) {  // y may hold anything, even NaN
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] = gamma;
    } else {
      sum = load<N>(y + at);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] = fmaf(beta, sum[i], gamma);
    }
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] = fmaf(alpha, values[i], sum[i]);
    store(y + at, sum);
  }
};

/// Four words of Philox4x32-10 (base/rng.h) at `counter`.
struct Words {
  uint32_t at[4];
};
__device__ Words philox(uint64_t counter, uint32_t key0, uint32_t key1) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0, c3 = 0;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * c0, product1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(product0);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

struct Dropout {
  uint64_t least;  ///< words from here keep their element
  uint32_t key0, key1;
  float scale;
  const float* x;
  float* y;
  template <int N>
  __device__ void run(int64_t at) const {
    const Words words = philox(static_cast<uint64_t>(at) / 4, key0, key1);
    Floats<N> values = load<N>(x + at);
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] *= words.at[(at + i) % 4] >= least ? scale : 0.0f;
    store(y + at, values);
  }
};

}  // namespace

void CudaBackend::unary(UnaryOp op, ConstView x, View y) {
  expect_f32(x, "unary");
  for_elements<4>(x.numel(), aligned(x.data, y.data), Unary{op, x.as<float>(), y.as<float>()});
}

void CudaBackend::unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) {
  if (op == UnaryOp::gelu) {
    return with_float(dy.dtype, "unary_backward", [&]<class T>(T) {
      for_elements<16 / sizeof(T)>(dy.numel(), aligned(x.data, dy.data, dx.data),
                                   GeluBackward<T>{x.as<T>(), dy.as<T>(), dx.as<T>()});
    });
  }
  expect_f32(dy, "unary_backward");
  const ConstView of = slope_takes_result(op) ? y : x ? x : dy;
  for_elements<4>(dy.numel(), aligned(of.data, dy.data, dx.data),
                  UnaryBackward{op, of.as<float>(), dy.as<float>(), dx.as<float>()});
}

void CudaBackend::scale_add(double alpha, ConstView x, double beta, double gamma, View y) {
  expect_f32(x, "scale_add");
  for_elements<4>(x.numel(), aligned(x.data, y.data),
                  ScaleAdd{static_cast<float>(alpha), static_cast<float>(beta), static_cast<float>(gamma),
                           x.as<float>(), y.as<float>()});
}

void CudaBackend::dropout(ConstView x, double p, uint64_t seed, View y) {
  expect_f32(x, "dropout");
  for_elements<4>(
      x.numel(), aligned(x.data, y.data),
      Dropout{static_cast<uint64_t>(std::ceil(p * 0x1p32)), static_cast<uint32_t>(seed),
              static_cast<uint32_t>(seed >> 32), static_cast<float>(1.0 / (1.0 - p)), x.as<float>(), y.as<float>()});
}

}  // namespace astroclip::cuda
