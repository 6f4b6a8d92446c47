#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip::optim {

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
  Adamw(std::vector<nn::NamedTensor> parameters, const Options& options);

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
  std::vector<nn::NamedTensor> state() const;
  const std::vector<nn::NamedTensor>& parameters() const { return parameters_; }

 private:
  std::vector<nn::NamedTensor> parameters_;
  std::vector<Tensor> first_, second_;
  Options options_;
  Tensor clip_state_;
  int64_t steps_ = 0;
};

/// Linear warm-up from 0, then a cosine from `peak` to `floor` that ends at `total` and stays.
/// Step counts from 0; the published schedule's numbers hold exactly.
double warmup_cosine(int64_t step, double peak, double floor, int64_t warmup, int64_t total);

}  // namespace astroclip::optim
