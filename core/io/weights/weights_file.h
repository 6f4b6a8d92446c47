#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/weights/safetensors.h"
#include "tensor/named_tensor.h"

namespace astroclip::io {

/// The tensors of a file of weights, whichever format it has.
struct WeightsFile {
  std::string format;  ///< "safetensors", "PyTorch, zip" or "PyTorch, legacy"
  std::vector<NamedTensor> tensors;
  std::vector<std::string> skipped;  ///< what stands among them and cannot be read (see PytorchFile::skipped)
  Metadata metadata;
};

/// Reads safetensors and PyTorch files, told apart by their first bytes. Each tensor keeps its own dtype where there is
/// one for it (f16 becomes f32), and stays in the mapped file where it needs no conversion. Throws Error naming the
/// path.
WeightsFile read_weights(const std::string& path, Device device);

/// What such a file holds, without reading the tensors.
struct WeightsListing {
  struct Entry {
    std::string name;
    std::string type;  ///< as stored: "f16", "i64", …
    Shape shape;
  };
  std::string format;
  std::vector<Entry> entries;
  std::vector<std::string> skipped;
  Metadata metadata;
};
WeightsListing list_weights(const std::string& path);

/// The model's hash: 32 hexadecimal digits (XXH3, 128 bits) of every name, dtype, shape and byte, in their order.
std::string model_hash(std::span<const NamedTensor> tensors);

}  // namespace astroclip::io
