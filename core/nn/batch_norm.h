#pragma once

#include <cstdint>

#include "nn/module.h"
#include "ops/ops.h"

namespace astroclip::nn {

/// Batch norm (Ioffe & Szegedy 2015): `weight`, `bias` and the buffers `running_mean`, `running_var` [channels].
/// Training normalises by batch statistics and updates the buffers with `momentum`: of several groups with the mean of
/// their moments. Evaluation, and training with a frozen weight, normalise by the buffers unless BatchStatistics says
/// otherwise.
class BatchNorm final : public Module {
 public:
  explicit BatchNorm(int64_t channels, double epsilon = 1e-5, double momentum = 0.1);
  /// x [..., channels], at least two rows of each group in training.
  Tensor operator()(const Tensor& x) const;
  /// The norm as factor · x + shift, both [channels]; undefined if it uses batch statistics.
  struct Affine {
    Tensor factor, shift;
  };
  Affine affine() const;

 private:
  void remember(const ops::BatchMoments& moments, int64_t rows) const;

  double epsilon_, momentum_;
  Tensor weight_, bias_;
  mutable Tensor running_mean_, running_var_;
};

}  // namespace astroclip::nn
