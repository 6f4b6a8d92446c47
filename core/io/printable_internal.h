#pragma once

#include <algorithm>
#include <string>

namespace astroclip::io {

/// Text out of a file for use in a message: what a terminal could take for more than text becomes '?'.
inline std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, '?');
  return text;
}

}  // namespace astroclip::io
