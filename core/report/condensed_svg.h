#pragma once

#include <string>

namespace astroclip::report {

/// gnuplot's SVG in fewer bytes: filled circles that follow one another become dots of a path, and places along paths
/// are cut to a tenth of a pixel.
std::string condensed_svg(const std::string& svg);

}  // namespace astroclip::report
