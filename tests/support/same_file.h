#pragma once

#include <string>

#include "io/output/durable_file.h"

namespace astroclip::testing_support {

/// Byte for byte; a test that says so keeps the bytes out of its message.
inline bool same_file(const std::string& a, const std::string& b) { return io::read_text(a) == io::read_text(b); }

}  // namespace astroclip::testing_support
