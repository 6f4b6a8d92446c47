#pragma once

#include <vector>

#include "optim/optimizer.h"

namespace astroclip::optim {

/// AdamW (Loshchilov & Hutter 2019, "Decoupled weight decay regularization") over all parameters in one kernel, with
/// clipping of their common norm. Its state is "first_moment.NAME", "second_moment.NAME".
class Adamw final : public Optimizer {
 public:
  Adamw(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales = {});

  Norm step(double learning_rate) override;
  std::vector<NamedTensor> state() const override;

 private:
  std::vector<Tensor> first_, second_;
  Tensor clip_state_;
};

}  // namespace astroclip::optim
