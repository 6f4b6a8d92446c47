#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip::optim {

/// How a parameter is treated otherwise than the rest.
struct Scales {
  double learning_rate = 1.0;  ///< factor
  double weight_decay = 1.0;   ///< factor
  int64_t frozen_steps = 0;    ///< before it, its learning rate is 0; its moments run on
  size_t part = 0;             ///< parameters of one part have a common gradient norm, which is clipped
};

/// What schedules say of a step.
struct Rates {
  double learning_rate = 0.0;
  std::optional<double> weight_decay = {};  ///< none: that of the options
  int64_t step = 0;                         ///< from 0
};

/// Updates parameters from their gradients and owns what it keeps for each of them, such as moments.
class Optimizer {
 public:
  struct Options {
    double beta1 = 0.9;  ///< of SGD its momentum
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.0;
    double clip_norm = 0.0;  ///< bound on the norm of each part's gradients; 0: none
    /// Decay of one-dimensional parameters too: biases, norms and scales. Scalars (temperatures) never decay.
    bool decay_vectors = true;
  };
  struct Norm {
    double norm = 0.0;            ///< of all gradients, before clipping
    bool finite = true;           ///< false: nothing was updated
    std::vector<double> parts;    ///< norm of each part
    std::vector<double> factors;  ///< by which each part's gradients are clipped
  };
  virtual ~Optimizer() = default;

  /// One step with the gradients of the parameters, which are cleared. A parameter without a gradient is left alone, as
  /// PyTorch leaves one whose `grad` is None: it does not decay, and what is kept for it stays. Where the norm is not
  /// finite, the gradients stay, too, for whoever asks which went bad.
  Norm step(const Rates& rates);
  /// The same without waiting for the device, which updates nothing where the norm is not finite. What `norms` then
  /// hold is for `norm_of`. The gradients stay, and the step counts.
  void queue_step(const Rates& rates);
  /// Whether a step reads the norm before it updates, so that queue_step waits for it.
  virtual bool reads_norm() const { return false; }
  /// For each part {norm, factor, 1 if all parts are finite, else 0}, f64.
  const std::vector<Tensor>& norms() const { return clip_states_; }
  static Norm norm_of(std::span<const double> norms);
  /// What is kept for the parameters, for checkpoints: "first_moment.NAME"; "updates", how many each has had.
  virtual std::vector<NamedTensor> state() const = 0;

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  /// Names of the parameters that have been updated at least once.
  std::set<std::string> reached() const;
  void clear_gradients();
  /// Name of the first parameter whose gradient holds a non-finite value, or "".
  std::string first_non_finite() const;

 protected:
  /// Only trainable parameters take part. `scales[i]` are those of `parameters[i]`; none: 1 for each.
  Optimizer(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales);

  /// Updates the parameters unless a norm is not finite.
  virtual void update(const Rates& rates) = 0;
  /// Finds the norm and the clip factor of each part.
  void clip_gradients();
  Norm read_norm() const;
  /// How many updates a parameter has had.
  int64_t updates_of(size_t parameter) const { return updates_.data_as<int64_t>()[parameter]; }
  /// What applies to a parameter at a step.
  double rate_of(size_t parameter, const Rates& rates) const;
  double decay_of(size_t parameter, const Rates& rates) const;

  std::vector<NamedTensor> parameters_;
  std::vector<Scales> scales_;              ///< of parameters_
  std::vector<std::vector<size_t>> parts_;  ///< indices of parameters_
  std::vector<Tensor> clip_states_;         ///< of each part, as gradient_clip leaves them, with the flag of all
  Options options_;
  Tensor updates_;  ///< i64 [parameters], on the host

 private:
  void count_updates();

  Tensor whole_;  ///< as the clip states, of all parts together
};

/// The optimisers that an experiment can name.
std::vector<std::string> optimizer_names();
/// Tensors of a parameter's size that the optimiser of that name keeps for each.
int64_t moments_of(const std::string& name);

/// The optimiser of that name, one of optimizer_names().
std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::vector<NamedTensor> parameters,
                                          const Optimizer::Options& options, const std::vector<Scales>& scales);

}  // namespace astroclip::optim
