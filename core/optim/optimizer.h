#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip::optim {

/// Factors on a parameter's learning rate and weight decay.
struct Scales {
  double learning_rate = 1.0;
  double weight_decay = 1.0;
};

/// AdamW over all parameters in one kernel, with global-norm clipping. Owns the moments.
class Adamw {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.0;
    double clip_norm = 0.0;  ///< 0: no clipping
    /// Decay of one-dimensional parameters too: biases, norms and scales. Scalars (temperatures) never decay.
    bool decay_vectors = true;
  };
  /// Only trainable parameters take part.
  Adamw(std::vector<NamedTensor> parameters, const Options& options);
  /// The same with factors of their own; `scales[i]` are those of `parameters[i]`.
  Adamw(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales);

  struct Norm {
    double norm = 0.0;   ///< of all gradients, before clipping
    bool finite = true;  ///< false: nothing was updated
  };
  /// One step with the gradients of the parameters, which are cleared. Parameters without a gradient count as zero
  /// gradient (as PyTorch's do when zeroed).
  Norm step(double learning_rate);
  void clear_gradients();
  /// Name of the first parameter whose gradient holds a non-finite value, or "".
  std::string first_non_finite() const;
  int64_t steps_taken() const { return steps_; }
  void set_steps_taken(int64_t steps) { steps_ = steps; }
  /// The moments, for checkpoints: "first_moment.NAME", "second_moment.NAME".
  std::vector<NamedTensor> state() const;
  const std::vector<NamedTensor>& parameters() const { return parameters_; }

 private:
  std::vector<NamedTensor> parameters_;
  std::vector<Scales> scales_;
  std::vector<Tensor> first_, second_;
  Options options_;
  Tensor clip_state_;
  int64_t steps_ = 0;
};

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

/// Linear warm-up from 0, then a cosine from `peak` to `floor` that ends at `total` and stays.
/// Step counts from 0; the published schedule's numbers hold exactly.
double warmup_cosine(int64_t step, double peak, double floor, int64_t warmup, int64_t total);

}  // namespace astroclip::optim
