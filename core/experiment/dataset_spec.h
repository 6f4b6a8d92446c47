#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "config/schema.h"
#include "data/view_group.h"
#include "plugin/spec.h"

namespace astroclip {

/// [dataset]: a dataset plugin with its parameters, and the keys that hold for all of them, which wrap it: the
/// bands and the stretch of images (data/image_bands.h), labels and conditions (data/labels.h), photometry of labels
/// (data/photometry.h).
struct DatasetSpec : plugin::Spec<Dataset> {
  config::Value written_views;         ///< [dataset.views] as it stands in the file: a table
  std::vector<data::ViewGroup> views;  ///< those of the file and those of the encoders' names, once they are resolved
  /// How many bands the section says that images have, in [dataset.image] or by a plugin's parameter `bands`.
  std::optional<int64_t> bands;

  static DatasetSpec read(const config::Value& value, const config::Section& where, config::Problems& problems);
  /// The keys that hold for every dataset.
  static std::vector<config::FieldDescription> common_keys();

  /// The group of that name: in `views`, or known without. Throws Error naming those there are.
  data::ViewGroup view_group(const std::string& name) const;
};

}  // namespace astroclip
