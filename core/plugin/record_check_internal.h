#pragma once

#include <cstddef>
#include <string>

#include "plugin/record.h"

namespace astroclip::plugin {

/// What speaks against using the record that a file exports; "" when nothing does. `size` is that of the exported
/// symbol. Reads no more than the comparisons so far allow, calls nothing, and gives one printable line.
std::string objection_to(const Record& record, size_t size);

}  // namespace astroclip::plugin
