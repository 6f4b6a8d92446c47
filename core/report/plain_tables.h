#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/table.h"

namespace astroclip::report {

/// Text as LaTeX sets it: commands are escaped, and the signs of metrics that LaTeX lacks in text mode are replaced.
std::string latex_text(const std::string& text);
/// A tabular (package booktabs) of LaTeX cells, the first row its head, the first `text_columns` columns aligned left.
std::string latex_table(const std::vector<TableRow>& lines, size_t text_columns);
/// Text as a cell of CSV in quotes (RFC 4180).
std::string csv_quoted(std::string text);

}  // namespace astroclip::report
