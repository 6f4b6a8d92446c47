#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/weights/elements.h"
#include "io/weights/pickle.h"
#include "io/weights/safetensors.h"
#include "tensor/tensor.h"

namespace astroclip::io {

/// A memory-mapped file written by torch.save, in the zip format (PyTorch 1.6 and later) or the older one, bare or by
/// Lightning. Its pickles are read as data: nothing in them is called or imported, and objects of classes other than
/// tensors stay opaque. The tensors listed are those of the state dict: what stands under `state_dict`, `model` or
/// `teacher`, else the whole file; their names are dotted and do not include that first word.
class PytorchFile {
 public:
  struct Entry {
    std::string name;
    ElementType type;
    Shape shape;
  };

  /// Throws Error with the path, and the byte where there is one, for a file that is truncated, damaged, of another
  /// kind, or holds no tensors.
  static PytorchFile open(const std::string& path);
  /// True for a file that begins as one of the two formats does. Throws Error when it cannot be read.
  static bool looks_like_one(const std::string& path);

  const std::string& path() const;
  /// "zip" or "legacy"
  std::string_view format() const;
  /// Where the tensors were found: "state_dict", "model", "teacher", or "" for the whole file.
  std::string_view section() const;
  /// In the order of the file.
  const std::vector<Entry>& entries() const;
  bool contains(const std::string& name) const;
  /// Throws Error naming the path and the tensor when there is none of that name.
  const Entry& entry(const std::string& name) const;
  /// A tensor, converted to `dtype` (integers only to integers or floats), on the device; see read_elements for when it
  /// shares the mapped bytes.
  Tensor read(const std::string& name, DType dtype, Device device) const;
  /// What stands in the state dict and is neither a tensor that can be read nor a dict of them: names, with the class
  /// in angle brackets where it is an object.
  const std::vector<std::string>& skipped() const;
  /// Everything plain beside the state dict, by dotted name: "hyper_parameters.embed_dim" = "768". An object of
  /// another class shows as "<module.name>".
  const Metadata& metadata() const;
  /// All that the file holds.
  const pickle::Value& root() const;

 private:
  struct Contents;
  std::shared_ptr<const Contents> contents_;
};

}  // namespace astroclip::io
