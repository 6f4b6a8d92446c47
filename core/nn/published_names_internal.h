#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/named_tensor.h"

/// How published files spell the names of weights.
namespace astroclip::nn {

/// How another library names the parts of a ViT, and how DINOv2 and timm do. A pattern matches whole components, or,
/// when it ends in "_", the beginning of the last one.
struct Respelling {
  std::string_view from, to;
};
struct Naming {
  std::string_view library;  ///< "" for DINOv2 and timm
  std::span<const Respelling> respellings;
};
/// Those of DINOv2 and timm first.
std::span<const Naming> namings();

/// The name without the prefixes of wrappers (parallel, compiled) and without the chunk of a block.
std::string canonical(std::string_view name);
/// Whether the name ends in `ending` at a component boundary ("qkv.weight" does not end in "v.weight").
bool ends_in(const std::string& name, std::string_view ending);

/// The tensors of a file by the names that modules have, and which of them were requested. None if another library's
/// naming makes one name of two.
class PublishedTensors {
 public:
  /// Throws Error naming `place` when two of the names are one.
  PublishedTensors(const std::vector<NamedTensor>& tensors, const std::string& place, const Naming& naming);

  std::string naming() const { return std::string(naming_.library); }
  bool contains(const std::string& name) const { return stores(name) || is_zero(name); }
  /// Whether the tensor is zero because the file lacks it.
  bool is_zero(const std::string& name) const;

  /// A tensor, and those of the file that it was made of: itself, the parts that it joins, or the one that it is part
  /// of. Undefined if there is none, or what there is cannot be joined or split.
  struct Taken {
    Tensor tensor;
    std::vector<NamedTensor> of;
  };
  Taken take(const std::string& name);

  /// How many of the names stand under each prefix that has any.
  std::map<std::string, int64_t> counts(const std::vector<std::string>& names) const;
  /// The longest beginning, in whole components, that the names of those requested have in common in the file.
  std::string common_prefix() const;
  /// Those under the prefix that were not requested: canonical name without the prefix, and the file's entry.
  std::vector<std::pair<std::string, NamedTensor>> unused(const std::string& prefix) const;
  void forget_requests() { used_.clear(); }

 private:
  bool stores(const std::string& name) const;
  std::vector<std::string> parts_of(const std::string& name) const;
  std::optional<std::pair<std::string, int>> fused_of(const std::string& name) const;
  const NamedTensor& use(const std::string& name);
  Taken fuse(const std::vector<std::string>& names);
  Taken split(const std::string& whole, int part);

  const Naming& naming_;
  std::map<std::string, NamedTensor> tensors_;
  std::set<std::string> used_;
};

}  // namespace astroclip::nn
