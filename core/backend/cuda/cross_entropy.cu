#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/exp_sum.h"
#include "backend/cuda/rows.h"

namespace astroclip::cuda {

namespace {

/// log Σ exp, and with targets the loss.
struct CrossEntropy {
  const float* logits;
  const int64_t* targets;
  float *loss, *log_sum_exp;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const float* from = logits + row * width;
    const typename Rows::template Input<float> in(from, width);
    ExpSum all;
    Rows::each(width, [&](int slot, int column) { all.add(in(slot, column)); });
    all.gather<Rows>();
    if (!Rows::leads()) return;
    log_sum_exp[row] = all.logarithm();
    if (targets != nullptr) loss[row] = all.logarithm() - from[targets[row]];
  }
};

struct CrossEntropyBackward {
  const float* logits;
  const int64_t* targets;
  const float *log_sum_exp, *dloss;
  float* dlogits;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> in(logits + row * width, width);
    const float lse = log_sum_exp[row], factor = dloss[row];
    const auto target = static_cast<int>(targets[row]);
    Rows::each(width, [&](int slot, int column) {
      auto v = in(slot, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) {
        // At the target of the difference p − 1 itself, which the product may have lost.
        v[i] = factor * (column + i == target ? expm1f(v[i] - lse) : expf(v[i] - lse));
      }
      store(dlogits + row * width + column, v);
    });
  }
};

/// The rows of targets that one row of logits is compared with.
struct Against {
  const float* targets;
  const int64_t* index;
  int most;

  /// Their sum from a column on.
  template <int N>
  __device__ Floats<N> sum(int64_t row, int width, int column) const {
    Floats<N> total = {};
    for (int j = 0; j < most; ++j) {
      const int64_t target = index[row * most + j];
      if (target < 0) continue;
      const auto share = load<N>(targets + target * width + column);
#pragma unroll
      for (int i = 0; i < N; ++i) total[i] += share[i];
    }
    return total;
  }
};

struct SoftCrossEntropy {
  const float* logits;
  Against against;
  float sharpness;
  float *loss, *log_sum_exp, *mass;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const float* from = logits + row * width;
    ExpSum all = {sharpness};
    // Distances are taken from the largest logit, so that nothing large is subtracted.
    float below = 0.0f, total = 0.0f;
    Rows::each(width, [&](int, int column) {
      const auto v = load<Rows::vector>(from + column), share = against.sum<Rows::vector>(row, width, column);
      below += total * all.add(v);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) {
        below += share[i] * (all.top - v[i]);
        total += share[i];
      }
    });
    const float top = all.top;
    all.gather<Rows>();
    if (top != -INFINITY) below += total * (all.top - top);
    below = Rows::template over<Sum>(below);
    total = Rows::template over<Sum>(total);
    if (!Rows::leads()) return;
    loss[row] = total * logf(all.sum) + below * sharpness;
    log_sum_exp[row] = all.logarithm();
    mass[row] = total;
  }
};

struct SoftCrossEntropyBackward {
  const float* logits;
  Against against;
  float sharpness;
  const float *log_sum_exp, *mass, *dloss;
  float* dlogits;

  template <class Rows>
  __device__ void run(int64_t row, int width) const {
    const typename Rows::template Input<float> in(logits + row * width, width);
    const float lse = log_sum_exp[row], weight = dloss[row] * sharpness, total = weight * mass[row];
    Rows::each(width, [&](int slot, int column) {
      auto v = in(slot, column);
      const auto share = against.sum<Rows::vector>(row, width, column);
#pragma unroll
      for (int i = 0; i < Rows::vector; ++i) v[i] = total * expf(v[i] * sharpness - lse) - weight * share[i];
      store(dlogits + row * width + column, v);
    });
  }
};

Against against_of(const ConstView& targets, const ConstView& against) {
  return {targets.as<float>(), against.as<int64_t>(), static_cast<int>(against.shape[1])};
}

}  // namespace

void CudaBackend::log_sum_exp(ConstView x, View y) {
  expect_f32(x, "log_sum_exp");
  for_rows(rows_of(x.shape), x.shape[-1], aligned(x.data),
           CrossEntropy{x.as<float>(), nullptr, nullptr, y.as<float>()});
}

void CudaBackend::cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) {
  expect_f32(logits, "cross_entropy");
  for_rows(rows_of(logits.shape), logits.shape[-1], aligned(logits.data),
           CrossEntropy{logits.as<float>(), targets.as<int64_t>(), loss.as<float>(), log_sum_exp.as<float>()});
}

void CudaBackend::cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss,
                                         View dlogits) {
  expect_f32(logits, "cross_entropy_backward");
  for_rows(rows_of(logits.shape), logits.shape[-1], aligned(logits.data, dlogits.data),
           CrossEntropyBackward{logits.as<float>(), targets.as<int64_t>(), log_sum_exp.as<float>(), dloss.as<float>(),
                                dlogits.as<float>()});
}

void CudaBackend::soft_cross_entropy(const SoftCrossEntropyArguments& a) {
  expect_f32(a.logits, "soft_cross_entropy");
  for_rows(
      a.logits.shape[0], a.logits.shape[1], aligned(a.logits.data, a.targets.data),
      SoftCrossEntropy{a.logits.as<float>(), against_of(a.targets, a.against), static_cast<float>(1.0 / a.temperature),
                       a.loss.as<float>(), a.log_sum_exp.as<float>(), a.mass.as<float>()});
}

void CudaBackend::soft_cross_entropy_backward(const SoftCrossEntropyBackwardArguments& a) {
  expect_f32(a.logits, "soft_cross_entropy_backward");
  for_rows(a.logits.shape[0], a.logits.shape[1], aligned(a.logits.data, a.targets.data, a.dlogits.data),
           SoftCrossEntropyBackward{a.logits.as<float>(), against_of(a.targets, a.against),
                                    static_cast<float>(1.0 / a.temperature), a.log_sum_exp.as<float>(),
                                    a.mass.as<float>(), a.dloss.as<float>(), a.dlogits.as<float>()});
}

}  // namespace astroclip::cuda
