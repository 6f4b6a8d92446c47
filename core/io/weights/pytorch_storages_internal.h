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

/// The storage that a persistent identifier refers to.
struct StorageReference {
  std::string type_name;                 ///< the class of the storage, "torch.FloatStorage"
  std::optional<ElementType> type;       ///< none if its elements cannot be read
  std::optional<int64_t> element_bytes;  ///< none if the class is unknown
  std::string key;
  int64_t elements;
};
/// nullopt for other references. Throws Error with only the reason for an invalid storage.
std::optional<StorageReference> storage_reference(const pickle::Value& persistent);

}  // namespace astroclip::io
