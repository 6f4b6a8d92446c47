#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/weights/safetensors.h"
#include "tensor/named_tensor.h"

namespace astroclip::io {

/// The tensors of a weight file of any supported format.
struct WeightsFile {
  std::string format;  ///< "safetensors", "safetensors in 3 shards", "PyTorch, zip" or "PyTorch, legacy"
  std::vector<NamedTensor> tensors;
  /// The beginning of the names that make up the state dict ("state_dict."); "" for the whole file.
  std::string section;
  std::vector<std::string> skipped;  ///< tensors that cannot be read, with the reason (see PytorchFile::skipped)
  Metadata metadata;

  /// The state dict: the tensors of the section, named without it.
  std::vector<NamedTensor> state_dict() const;
};

/// Whether a file begins as one of weights does: a PyTorch file (or another zip archive), a safetensors file, or an
/// index of shards. Throws Error if it cannot be read.
bool looks_like_weights(const std::string& path);

/// Reads safetensors and PyTorch files, distinguished by their first bytes, and the shards that an index lists
/// ("model.safetensors.index.json"). Each tensor keeps its dtype if it is supported (f16 becomes f32), and stays in the
/// mapped file if it needs no conversion. Throws Error naming the path.
WeightsFile read_weights(const std::string& path, Device device);

/// The contents of such a file, without reading the tensors.
struct WeightsListing {
  struct Entry {
    std::string name;
    std::string type;  ///< as stored: "f16", "i64", …
    Shape shape;
  };
  std::string format;
  std::vector<Entry> entries;
  std::string section;
  std::vector<std::string> skipped;
  Metadata metadata;
};
WeightsListing list_weights(const std::string& path);

/// The model's hash: 32 hexadecimal digits (XXH3, 128 bits) of every name, dtype, shape and byte, in their order.
std::string model_hash(std::span<const NamedTensor> tensors);

}  // namespace astroclip::io
