#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip::nn {

/// Loads weights whose names are spelled as published files spell them: the blocks of a ViT in chunks or not
/// (`blocks.C.I.` or `blocks.I.`), everything under a prefix (`module.`, `teacher.backbone.`, `image_encoder.` and any
/// other; the one under which most tensors are found is taken), attention projections fused or split. What stands under
/// other prefixes, or is the module's but not of `part`, is left alone, and so are PyTorch's counters of batches.
/// `part` names the child to load ("backbone"), "" the whole module. `place` (the file) is for messages.
/// Throws Error listing every missing, unexpected and misshapen tensor; nothing has been written then.
void load_published(Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                    const std::string& part = "", Loading how = Loading::copied);

/// The same from a safetensors or PyTorch file.
void load_published(Module& module, const std::string& path, const std::string& part = "");

/// How many tensors of `part` the source has, by name, under the prefix that load_published would take.
int64_t count_published(const Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                        const std::string& part = "");

}  // namespace astroclip::nn
