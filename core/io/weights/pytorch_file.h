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

/// A memory-mapped file written by torch.save or Lightning, in the zip format (PyTorch 1.6 and later) or the legacy
/// format. Its pickles are read as data: nothing in them is called or imported, and objects of classes other than
/// tensors stay opaque. The tensors are those of all nested dicts, and of the items of an outermost list, under dotted
/// names: "state_dict.module.norm.weight".
class PytorchFile {
 public:
  struct Entry {
    std::string name;
    ElementType type;
    Shape shape;
  };

  /// Throws Error with the path, and the byte if known, for a file that is truncated, damaged, of another format, or
  /// without tensors.
  static PytorchFile open(const std::string& path);
  /// Whether a file begins like one of the two formats. Throws Error if it cannot be read.
  static bool looks_like_one(const std::string& path);

  const std::string& path() const;
  /// "zip" or "legacy"
  std::string_view format() const;
  /// The entry that holds the state dict: "state_dict", "model" or "teacher", in this order, or "" for the whole file.
  std::string_view section() const;
  /// In the order of the file.
  const std::vector<Entry>& entries() const;
  bool contains(const std::string& name) const;
  /// Throws Error naming the path and the tensor if there is none of that name.
  const Entry& entry(const std::string& name) const;
  /// A tensor, converted to `dtype` (integers only to integers or floats), on the device; see read_elements for when it
  /// shares the mapped bytes.
  Tensor read(const std::string& name, DType dtype, Device device) const;
  /// Names of tensors that cannot be read (complex or quantised ones, those with more axes than a Shape may have), with
  /// the reason in angle brackets.
  const std::vector<std::string>& skipped() const;
  /// All plain values by dotted name: "hyper_parameters.embed_dim" = "768". An object of another class shows as
  /// "<module.name>".
  const Metadata& metadata() const;
  /// The whole contents of the file.
  const pickle::Value& root() const;

 private:
  struct Contents;
  std::shared_ptr<const Contents> contents_;
};

}  // namespace astroclip::io
