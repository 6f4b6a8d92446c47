#pragma once

#include <vector>

#include "optim/optimizer.h"

namespace astroclip::optim {

/// AdamW (Loshchilov & Hutter 2019, "Decoupled weight decay regularization") over all parameters in one kernel, with
/// clipping of the norm of each part. Its state is "first_moment.NAME", "second_moment.NAME".
class Adamw final : public Optimizer {
 public:
  Adamw(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales = {});

  std::vector<NamedTensor> state() const override;

 private:
  void update(const Rates& rates) override;

  std::vector<Tensor> first_, second_;
};

}  // namespace astroclip::optim
