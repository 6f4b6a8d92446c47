#pragma once

#include <algorithm>
#include <string>

namespace astroclip {

/// Text out of a file for use in a message: what a terminal could take for more than text becomes '?', and what is
/// longer than `longest` bytes is cut.
inline std::string printable(std::string text, size_t longest = 4096) {
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, '?');
  if (text.size() > longest) text = text.substr(0, longest) + "…";
  return text;
}

}  // namespace astroclip
