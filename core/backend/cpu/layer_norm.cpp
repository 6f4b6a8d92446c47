#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/layer_norm.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

struct RowStatistics {
  float mean;
  float inverse_deviation;
};

/// The row is read twice: the variance of centred values does not cancel.
template <class T>
RowStatistics layer_norm_row(const float* x, const float* weight, const float* bias, double epsilon, T* y,
                             int64_t width) {
  const float mean =
      sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR { return load(x + i, n); }) / static_cast<float>(width);
  const Vector centre = set(mean);
  const float squares = sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector d = hn::Sub(load(x + i, n, mean), centre);
    return hn::Mul(d, d);
  });
  const auto inverse = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width) + epsilon));
  const Vector factor = set(inverse);
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector normalised = hn::Mul(hn::Sub(load(x + i, n), centre), factor);
    store(hn::MulAdd(normalised, load(weight + i, n), load(bias + i, n)), y + i, n);
  });
  return {mean, inverse};
}

/// Writes the row of dx and adds the row's share to dweight and dbias.
template <class T>
void layer_norm_backward_row(const T* dy, const float* x, const float* weight, RowStatistics row, float* dx,
                             float* dweight, float* dbias, int64_t width) {
  const Vector centre = set(row.mean), factor = set(row.inverse_deviation);
  const auto normalised = [=](int64_t i, int64_t n)
                              HWY_ATTR { return hn::Mul(hn::Sub(load(x + i, n), centre), factor); };
  const auto inner = [=](int64_t i, int64_t n) HWY_ATTR { return hn::Mul(load(dy + i, n), load(weight + i, n)); };
  const float sum = sum_of(width, inner);
  const float weighted =
      sum_of(width, [=](int64_t i, int64_t n) HWY_ATTR { return hn::Mul(inner(i, n), normalised(i, n)); });
  const Vector mean_gradient = set(sum / static_cast<float>(width));
  const Vector mean_weighted = set(weighted / static_cast<float>(width));
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector value = normalised(i, n), gradient = load(dy + i, n);
    store(hn::MulAdd(gradient, value, load(dweight + i, n)), dweight + i, n);
    store(hn::Add(gradient, load(dbias + i, n)), dbias + i, n);
    const Vector flow = hn::NegMulAdd(value, mean_weighted, hn::Sub(inner(i, n), mean_gradient));
    store(hn::Mul(factor, flow), dx + i, n);
  });
}

template <class T>
void layer_norm_rows(const LayerNormArguments& a, int64_t begin, int64_t end) {
  const int64_t width = a.x.shape[-1];
  const auto* x = a.x.as<float>();
  auto *mean = a.mean.as<float>(), *inverse_deviation = a.inverse_deviation.as<float>();
  for (int64_t row = begin; row < end; ++row) {
    const RowStatistics kept = layer_norm_row(x + row * width, a.weight.as<float>(), a.bias.as<float>(), a.epsilon,
                                              a.y.as<T>() + row * width, width);
    if (mean != nullptr) mean[row] = kept.mean;
    if (inverse_deviation != nullptr) inverse_deviation[row] = kept.inverse_deviation;
  }
}

void layer_norm_range(const LayerNormArguments& a, int64_t begin, int64_t end) {
  if (a.y.dtype == DType::bf16) return layer_norm_rows<BFloat16>(a, begin, end);
  layer_norm_rows<float>(a, begin, end);
}

/// `before` holds a row before the gathered gradient is added to it.
template <class T>
void layer_norm_backward_rows(const LayerNormBackwardArguments& a, float* dweight, float* dbias, float* before,
                              int64_t begin, int64_t end) {
  const int64_t width = a.x.shape[-1];
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row * width;
    float* dx = a.dx.as<float>() + at;
    layer_norm_backward_row(a.dy.as<T>() + at, a.x.as<float>() + at, a.weight.as<float>(),
                            {a.mean.as<float>()[row], a.inverse_deviation.as<float>()[row]}, a.gathered ? before : dx,
                            dweight, dbias, width);
    if (a.gathered) std::transform(before, before + width, a.gathered.as<float>() + at, dx, std::plus<>());
    if (a.rounded.dtype == DType::bf16) {
      round_rows_to_bf16(dx, width, a.rounded.as<BFloat16>() + at, width, width, 1);
    } else if (a.rounded) {
      std::copy_n(dx, width, a.rounded.as<float>() + at);
    }
  }
}

void layer_norm_backward_range(const LayerNormBackwardArguments& a, float* dweight, float* dbias, float* before,
                               int64_t begin, int64_t end) {
  if (a.dy.dtype == DType::bf16) return layer_norm_backward_rows<BFloat16>(a, dweight, dbias, before, begin, end);
  layer_norm_backward_rows<float>(a, dweight, dbias, before, begin, end);
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(layer_norm_range);
HWY_EXPORT(layer_norm_backward_range);

void CpuBackend::layer_norm(const LayerNormArguments& a) {
  expect_f32(a.x, "layer_norm");
  const int64_t width = a.x.shape[-1];
  parallel_for(rows_of(a.x.shape), row_grain(width), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(layer_norm_range)(a, begin, end);
  });
}

void CpuBackend::layer_norm_backward(const LayerNormBackwardArguments& a) {
  expect_f32(a.x, "layer_norm_backward");
  // Gradients of weight and bias are gathered over blocks of rows, as many as there are whatever the threads.
  constexpr int64_t most_blocks = 16;
  const int64_t width = a.x.shape[-1], rows = rows_of(a.x.shape);
  const int64_t blocks = std::clamp<int64_t>(rows / row_grain(width), 1, most_blocks);
  const Scratch partial(3 * blocks * width * static_cast<int64_t>(sizeof(float)));
  float* weights = partial.as<float>();
  float* biases = weights + blocks * width;
  float* before = biases + blocks * width;
  std::fill_n(weights, 2 * blocks * width, 0.0f);
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      HWY_DYNAMIC_DISPATCH(layer_norm_backward_range)
      (a, weights + block * width, biases + block * width, before + block * width, rows * block / blocks,
       rows * (block + 1) / blocks);
    }
  });
  sum_columns(weights, blocks, width, a.dweight.as<float>());
  sum_columns(biases, blocks, width, a.dbias.as<float>());
}

}  // namespace astroclip::cpu
#endif
