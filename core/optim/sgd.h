#pragma once

#include <vector>

#include "optim/optimizer.h"

namespace astroclip::optim {

/// Stochastic gradient descent with momentum, as torch.optim.SGD without dampening: g ← gradient + decay · w,
/// v ← β₁ · v + g, w ← w − rate · v. The norm of each part's gradients is clipped first. Its state is "momentum.NAME".
class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<NamedTensor> parameters, const Options& options, const std::vector<Scales>& scales = {});

  bool reads_norm() const override { return true; }
  std::vector<NamedTensor> state() const override;

 private:
  void update(const Rates& rates) override;

  std::vector<Tensor> momentum_;
};

}  // namespace astroclip::optim
