#pragma once

#include <algorithm>
#include <string>

namespace astroclip {

/// Text from a file made safe for a message: control characters become '?', and the text is cut after `longest` bytes.
inline std::string printable(std::string text, size_t longest = 4096) {
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, '?');
  if (text.size() > longest) text = text.substr(0, longest) + "…";
  return text;
}

}  // namespace astroclip
