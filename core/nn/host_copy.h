#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace astroclip::nn {

/// The values of a small buffer on the host. They are read from the buffer's device only after somebody else has
/// written it, such as a checkpoint.
class HostCopy {
 public:
  const std::vector<double>& of(const Tensor& buffer);
  /// Writes the buffer, which rounds the values to its dtype.
  void write(Tensor& buffer, std::vector<double> values);

 private:
  std::vector<double> values_;
  std::shared_ptr<Storage> storage_;  ///< the buffer's, at `version_`
  uint64_t version_ = 0;
};

}  // namespace astroclip::nn
