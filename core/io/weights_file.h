#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"
#include "tensor/tensor.h"

namespace astroclip::io {

/// The tensors of a file of weights, whichever format it has.
struct WeightsFile {
  std::string format;  ///< "safetensors", "PyTorch, zip" or "PyTorch, legacy"
  std::vector<std::pair<std::string, Tensor>> tensors;
  Metadata metadata;
};

/// Reads safetensors and PyTorch files, told apart by their first bytes, whole. Each tensor keeps its own dtype where
/// there is one for it (f16 becomes f32). Throws Error naming the path.
WeightsFile read_weights(const std::string& path, Device device);

}  // namespace astroclip::io
