#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip::nn {

/// Where in a file a module's tensors were found, and how the file differs from the module.
struct Published {
  std::string prefix;                 ///< of the tensors' names in the file, "teacher.backbone."; "" if there is none
  std::string naming;                 ///< the library whose names they have, "transformers"; "" for DINOv2's and timm's
  std::vector<std::string> left_out;  ///< heads and buffers under the prefix that the module does not need
  std::vector<std::string> zeros;     ///< of the module, not in the file, and zero without: the mask token, biases

  /// In half a line: "'teacher.backbone.'; not needed: head.weight".
  std::string text() const;
};

/// Loads weights with the names of published files: those of DINOv2 and timm, transformers (Dinov2, ViT) and
/// torchvision; the blocks of a ViT chunked or not (`blocks.C.I.` or `blocks.I.`), attention projections fused or
/// split, under any prefix (`module.`, `teacher.backbone.`, `image_encoder.` …). Where the tensors under several
/// prefixes fit, `prefix` chooses ("" for those without), else a teacher's are preferred to its student's, else it is
/// an error that names them. Tensors under other prefixes or outside `part` are ignored, and so are heads and buffers
/// that the module does not have; a tensor of the network itself that it does not have (a further block, LayerScale) is
/// an error. `part` names the child to load ("backbone"), "" the whole module. `place` (the file) is for messages.
/// Throws Error listing every missing, unexpected and misshapen tensor, without writing anything.
Published load_published(Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                         const std::string& part = "", Loading how = Loading::copied,
                         const std::optional<std::string>& prefix = std::nullopt);

/// The same from a safetensors or PyTorch file.
Published load_published(Module& module, const std::string& path, const std::string& part = "");

/// The prefixes under which the source has all tensors of `part`, each of its shape; none if nothing fits. The module
/// must have storage.
std::vector<std::string> fitting_prefixes(const Module& module, const std::vector<NamedTensor>& source,
                                          const std::string& place, const std::string& part = "");

/// Number of tensors of `part` in the source, by name, under the prefix that load_published would use.
int64_t count_published(const Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                        const std::string& part = "");

}  // namespace astroclip::nn
