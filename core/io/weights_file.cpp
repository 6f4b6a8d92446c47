#include "io/weights_file.h"

#include "io/pytorch_file.h"

namespace astroclip::io {

WeightsFile read_weights(const std::string& path, Device device) {
  WeightsFile weights;
  if (PytorchFile::looks_like_one(path)) {
    const auto file = PytorchFile::open(path);
    weights.format = "PyTorch, " + std::string(file.format());
    weights.metadata = file.metadata();
    for (const auto& entry : file.entries()) {
      weights.tensors.emplace_back(entry.name, file.read(entry.name, dtype_of_elements(entry.type), device));
    }
    return weights;
  }
  const auto file = SafetensorsFile::open(path);
  weights.format = "safetensors";
  weights.metadata = file.metadata();
  for (const auto& entry : file.entries()) {
    weights.tensors.emplace_back(entry.name, file.read(entry.name, entry.dtype, device));
  }
  return weights;
}

}  // namespace astroclip::io
