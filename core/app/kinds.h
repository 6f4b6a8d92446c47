#pragma once

#include <string>

#include "plugin/host.h"

namespace astroclip::app {

/// The kind that a word of the command line means: "encoder" or "encoders". Throws UsageError naming the kinds there
/// are.
plugin::Kind kind_of(const std::string& text);

}  // namespace astroclip::app
