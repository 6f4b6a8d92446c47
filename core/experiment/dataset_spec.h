#pragma once

#include <vector>

#include "api/dataset.h"
#include "config/schema.h"
#include "plugin/spec.h"

namespace astroclip {

/// [dataset]: a dataset plugin with its parameters, and the keys that hold for all of them (data/labels.h), which wrap
/// it.
struct DatasetSpec : plugin::Spec<Dataset> {
  static DatasetSpec read(const config::Value& value, const config::Section& where, config::Problems& problems);
  /// The keys that hold for every dataset.
  static std::vector<config::FieldDescription> common_keys();
};

}  // namespace astroclip
