#include "io/weights/weights_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "io/weights/pytorch_file.h"

namespace astroclip::io {

namespace {

std::string hash_of(const void* bytes, size_t count) {
  const XXH128_hash_t hash = XXH3_128bits(bytes, count);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_of(const Tensor& tensor) {
  const auto count = static_cast<size_t>(tensor.bytes());
  if (is_host_memory(tensor.device())) {
    const std::string hash = hash_of(tensor.data(), count);
    tensor.storage()->set_aside();  // so that a large file is never completely in memory
    return hash;
  }
  std::string bytes(count, '\0');
  memory_of(tensor.device()).copy_to_host(bytes.data(), tensor.data(), tensor.bytes());
  return hash_of(bytes.data(), count);
}

}  // namespace

WeightsFile read_weights(const std::string& path, Device device) {
  WeightsFile weights;
  if (PytorchFile::looks_like_one(path)) {
    const auto file = PytorchFile::open(path);
    weights.format = "PyTorch, " + std::string(file.format());
    weights.metadata = file.metadata();
    weights.skipped = file.skipped();
    for (const auto& entry : file.entries()) {
      weights.tensors.push_back({entry.name, file.read(entry.name, dtype_of_elements(entry.type), device)});
    }
    return weights;
  }
  const auto file = SafetensorsFile::open(path);
  weights.format = "safetensors";
  weights.metadata = file.metadata();
  for (const auto& entry : file.entries()) {
    weights.tensors.push_back({entry.name, file.read(entry.name, entry.dtype, device)});
  }
  return weights;
}

WeightsListing list_weights(const std::string& path) {
  WeightsListing listing;
  if (PytorchFile::looks_like_one(path)) {
    const auto file = PytorchFile::open(path);
    listing.format = "PyTorch, " + std::string(file.format());
    listing.metadata = file.metadata();
    listing.skipped = file.skipped();
    for (const auto& entry : file.entries()) {
      listing.entries.push_back({entry.name, std::string(name_of(entry.type)), entry.shape});
    }
    return listing;
  }
  const auto file = SafetensorsFile::open(path);
  listing.format = "safetensors";
  listing.metadata = file.metadata();
  for (const auto& entry : file.entries()) {
    listing.entries.push_back({entry.name, std::string(name_of(entry.dtype)), entry.shape});
  }
  return listing;
}

std::string model_hash(std::span<const NamedTensor> tensors) {
  std::string summary;
  for (const auto& [name, tensor, trainable] : tensors) {
    summary += fmt::format("{}|{}|{}|{}\n", name, name_of(tensor.dtype()), tensor.shape().str(), hash_of(tensor));
  }
  return hash_of(summary.data(), summary.size());
}

}  // namespace astroclip::io
