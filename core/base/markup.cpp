#include "base/markup.h"

#include <algorithm>

namespace astroclip {

namespace {

/// Bytes of the UTF-8 character that the text begins with; 0 where it begins with none.
size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t length = first < 0x80   ? 1
                        : first < 0xC2 ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  const bool is_whole =
      length > 0 && text.size() >= length && std::ranges::all_of(text.substr(1, length - 1), continues);
  return is_whole ? length : 0;
}

bool is_allowed(char c) { return (c < 0 || c >= ' ' || c == '\t' || c == '\n' || c == '\r') && c != 0x7F; }

}  // namespace

std::string markup_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = character_length(text);
    const char first = text.front();
    if (length == 0 || !is_allowed(first))
      out += '?';
    else if (first == '&')
      out += "&amp;";
    else if (first == '<')
      out += "&lt;";
    else if (first == '>')
      out += "&gt;";
    else if (first == '"')
      out += "&quot;";
    else if (first == '\'')
      out += "&#39;";
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

}  // namespace astroclip
