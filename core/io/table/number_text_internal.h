#pragma once

#include <cstdint>
#include <string_view>

/// How tables write numbers as text.
namespace astroclip::io {

/// Without surrounding blanks.
std::string_view trimmed_view(std::string_view text);
/// Equal but for the case of ASCII letters.
bool same_letters(std::string_view a, std::string_view b);

/// Whole texts, with a sign or without; false when they are something else or do not fit.
bool parse_text(std::string_view text, int64_t& value);
bool parse_text(std::string_view text, uint64_t& value);
bool parse_text(std::string_view text, double& value);
/// "true" or "false" in any case of letters.
bool parse_truth(std::string_view text, bool& value);

}  // namespace astroclip::io
