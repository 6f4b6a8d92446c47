#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "embed/embed.h"
#include "model/model_file.h"

namespace astroclip::embed {

/// Objects to embed: a split of a dataset.
struct Input {
  std::string name;      ///< for messages
  std::string contents;  ///< sizes of the files, wherever they lie, or a plugin's parameters
  std::shared_ptr<const Dataset> objects;
  Split split = Split::train;
  std::shared_ptr<const Dataset> views = {};  ///< the same in the model's bands, once it is known

  int64_t size() const { return objects->size(split); }
  /// Whether the objects, all or some of them, have a modality.
  bool has(const std::string& modality) const;
  /// Makes `views`: images in the bands and with the stretch that the model was trained on. Throws Error unless they
  /// are the encoders'.
  void take_views(const ModelDescription& model, const std::vector<EncoderSpec>& encoders);
};

/// What a request names: the training and the test objects of its dataset plugin, or its files, folders and patterns.
/// A file is in the paired layout or in one of layouts/survey_files.h; files of one of these that follow one another
/// are one input. The
/// output itself is skipped. Throws Error naming a file of another layout.
std::vector<Input> open_inputs(const Request& request);

}  // namespace astroclip::embed
