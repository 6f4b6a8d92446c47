#pragma once

#include <string>

#include "tensor/tensor.h"

namespace astroclip {

/// A tensor of a module or of a file with its full dotted name ("blocks.0.norm1.weight").
struct NamedTensor {
  std::string name;
  Tensor tensor;
  bool trainable = true;  ///< false for buffers and frozen parameters
};

}  // namespace astroclip
