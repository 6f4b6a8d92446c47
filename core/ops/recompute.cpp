#include <memory>
#include <utility>

#include "autograd/tape.h"
#include "ops/ops.h"

namespace astroclip::ops {

// The first call records, too: some kernels round otherwise where no gradient is wanted, and only the tape knows
// whether one is. What it saved goes with its tape.
Tensor recompute(std::function<Tensor()> function) {
  const Tensor y = function();
  if (!autograd::recording() || !y.requires_grad()) return y;
  Tensor kept = y.detach();
  kept.set_requires_grad(true);
  kept.set_node(std::make_shared<autograd::Node>(
      "recompute", std::vector<Tensor>(),
      autograd::Replay([function = std::move(function), precision = current_precision()] {
        const PrecisionScope scope(precision);
        return function();
      })));
  return kept;
}

}  // namespace astroclip::ops
