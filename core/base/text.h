#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace astroclip {

/// "; did you mean 'NAME'?" of the name nearest to `word` by edit distance; "" when none is near enough to be meant.
std::string suggestion(std::string_view word, const std::vector<std::string>& names);

/// ASCII letters in lower case.
std::string lower(std::string text);
/// Equal but for the case of ASCII letters.
bool same_letters(std::string_view a, std::string_view b);
/// Without blanks, tabs and ends of lines at its ends.
std::string_view trimmed(std::string_view text);

/// Characters of a UTF-8 text, near enough to the columns it takes on a terminal.
size_t text_width(std::string_view text);

}  // namespace astroclip
