#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace astroclip {

using TableRow = std::vector<std::string>;  ///< a cell for each column

/// Rows with two spaces between columns, each row behind `indent`. The first `left_columns` columns are aligned left,
/// the others right. No line ends in a space.
std::string format_table(const std::vector<TableRow>& rows, std::string_view indent = "  ",
                         size_t left_columns = SIZE_MAX);

/// A Markdown table whose source is aligned, too. The first row is the header.
std::string markdown_table(const std::vector<TableRow>& rows);

}  // namespace astroclip
