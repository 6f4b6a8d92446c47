#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/dataset.h"

namespace astroclip::embed {

/// Objects to embed, whole files of them: all rows are in the split `train`, in the files' order.
struct Input {
  std::vector<std::string> files;
  std::shared_ptr<const Dataset> objects;
  std::vector<std::string> modalities;  ///< that its objects have, all or some of them

  int64_t size() const { return objects->size(Split::train); }
};

/// Opens files, folders and patterns, each file in the paired layout or in the image survey's; survey files that follow
/// one another are one input. The output itself, should it lie there already, is none. Throws Error naming the file
/// that is neither.
std::vector<Input> open_inputs(const std::vector<std::string>& named, const std::string& output);

}  // namespace astroclip::embed
