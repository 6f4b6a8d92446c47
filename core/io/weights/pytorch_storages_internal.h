#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "io/weights/elements.h"
#include "io/weights/pickle.h"

namespace astroclip::io {

/// The outer layer of a PyTorch file: the pickle of its object and the bytes of its storages by key.
struct PytorchArchive {
  std::string_view format;
  pickle::Document document;
  std::map<std::string, std::span<const std::byte>> storages;
};

/// Reads either format. `bytes` must outlive the result. Throws Error naming the path.
PytorchArchive read_pytorch_archive(std::span<const std::byte> bytes, const std::string& path);
bool looks_like_pytorch(std::span<const std::byte> bytes);

/// What a persistent identifier says of a storage.
struct StorageReference {
  ElementType type;
  std::string key;
  int64_t elements;
};
/// Empty for other references. Throws Error with the reason alone for a storage that makes no sense.
std::optional<StorageReference> storage_reference(const pickle::Value& persistent);

}  // namespace astroclip::io
