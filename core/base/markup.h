#pragma once

#include <string>
#include <string_view>

namespace astroclip {

/// Text as HTML, SVG and XML 1.0 show it, within an element or a quoted attribute: no character of it is taken as
/// markup. Bytes that are no UTF-8, and control characters that XML does not allow, become '?'.
std::string markup_text(std::string_view text);

}  // namespace astroclip
