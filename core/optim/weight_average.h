#pragma once

#include <cstdint>
#include <vector>

#include "tensor/named_tensor.h"

namespace astroclip::optim {

/// A moving average of tensors: after update number t, counted from 0, average ← d · average + (1 − d) · tensor with
/// d = min(decay, (1 + t) / (10 + t)), which forgets the start sooner (TensorFlow's ExponentialMovingAverage with
/// num_updates).
class WeightAverage {
 public:
  /// Starts from the tensors as they are.
  WeightAverage(std::vector<NamedTensor> tensors, double decay);
  /// `updates` have been before this one.
  void update(int64_t updates);
  /// Tensors and averages trade places, bit for bit; a second call trades them back.
  void swap();
  /// For checkpoints: "average.NAME".
  std::vector<NamedTensor> state() const;

 private:
  std::vector<NamedTensor> tensors_;
  std::vector<Tensor> averages_;
  double decay_;
};

/// Two tensors trade their values, bit for bit.
void trade_places(Tensor a, Tensor b);

}  // namespace astroclip::optim
