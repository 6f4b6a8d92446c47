#pragma once

#include <cstdint>
#include <string_view>

/// How tables write numbers as text.
namespace astroclip::io {

/// Whole texts, with a sign or without; false when they are something else or do not fit.
bool parse_text(std::string_view text, int64_t& value);
bool parse_text(std::string_view text, uint64_t& value);
bool parse_text(std::string_view text, double& value);
/// "true" or "false" in any case of letters.
bool parse_truth(std::string_view text, bool& value);

}  // namespace astroclip::io
