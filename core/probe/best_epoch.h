#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/named_tensor.h"

namespace astroclip::probe {

/// Takes a share of the rows, at least one, out of `order`; none for a share of 0.
std::vector<int64_t> take_validation(std::vector<int64_t>& order, double share, uint64_t seed);

/// Keeps the weights with the least loss on some rows.
class BestEpoch {
 public:
  explicit BestEpoch(std::vector<NamedTensor> parameters) : parameters_(std::move(parameters)) {}
  void offer(double loss);
  /// Gives the parameters the best weights, if there were any.
  void restore();

 private:
  std::vector<NamedTensor> parameters_;
  std::vector<Tensor> weights_;
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace astroclip::probe
