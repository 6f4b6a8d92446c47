#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip::nn {

/// Loads weights with the names of published files: the blocks of a ViT chunked or not (`blocks.C.I.` or `blocks.I.`),
/// any prefix (`module.`, `teacher.backbone.`, `image_encoder.` …; the prefix that matches most tensors is used),
/// attention projections fused or split. Tensors under other prefixes or outside `part` are ignored, and so are
/// PyTorch's batch counters. `part` names the child to load ("backbone"), "" the whole module. `place` (the file) is
/// for messages. Throws Error listing every missing, unexpected and misshapen tensor, without writing anything.
void load_published(Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                    const std::string& part = "", Loading how = Loading::copied);

/// The same from a safetensors or PyTorch file.
void load_published(Module& module, const std::string& path, const std::string& part = "");

/// Number of tensors of `part` in the source, by name, under the prefix that load_published would use.
int64_t count_published(const Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                        const std::string& part = "");

}  // namespace astroclip::nn
