#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/module.h"

namespace astroclip {

/// An architecture that the program brings: a file of experiments/models.
struct Preset {
  std::string name;  ///< "vit-small"
  std::string path;
};

/// Those of share/astroclip beside the program, by name.
std::vector<Preset> presets();

/// The file of a preset's name; what is none is a path.
std::string architecture_path(const std::string& name_or_path);

/// The preset whose encoders find their backbones among the tensors, every name and shape; of several the one with most
/// parameters. Names may be spelled as nn::load_published takes them.
std::optional<Preset> recognise(const std::vector<NamedTensor>& tensors, const std::vector<Preset>& among);

}  // namespace astroclip
