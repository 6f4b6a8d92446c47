#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/weights/elements.h"
#include "tensor/named_tensor.h"

namespace astroclip::io {

using Metadata = std::map<std::string, std::string>;

/// A memory-mapped safetensors file (huggingface.co/docs/safetensors): an 8-byte header length, a JSON header and
/// the tensors' bytes. Opening checks the whole header; tensors are only touched when read.
class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    ElementType type;
    Shape shape;
  };

  /// Throws Error with the path and the reason: not a safetensors file, truncated, or invalid offsets.
  static SafetensorsFile open(const std::string& path);

  /// Whether a file begins like one: with the length of a header that the file can hold, and a brace or blank. Throws
  /// Error if it cannot be read.
  static bool looks_like_one(const std::string& path);

  const std::string& path() const;
  const Metadata& metadata() const;
  /// The tensors that can be read, in the order of their bytes in the file.
  const std::vector<Entry>& entries() const;
  /// Names of tensors of a type or with a number of axes that cannot be read, with the reason in angle brackets.
  const std::vector<std::string>& skipped() const;
  bool contains(const std::string& name) const;
  /// Throws Error naming the path and the tensor if there is none of that name.
  const Entry& entry(const std::string& name) const;
  /// A tensor, converted to `dtype` (integers only to integers or floats), on the device; see read_elements for when it
  /// shares the mapped bytes.
  Tensor read(const std::string& name, DType dtype, Device device) const;

 private:
  struct Mapping;
  std::shared_ptr<const Mapping> mapping_;
};

/// Writes tensors in the given order, durably; the same input gives the same bytes.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors, const Metadata& metadata = {});

}  // namespace astroclip::io
