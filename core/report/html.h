#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/table.h"

namespace astroclip::report {

/// A table for a page.
struct HtmlTable {
  std::string caption;  ///< text
  TableRow head;
  size_t text_columns = 1;  ///< the first ones, aligned left
  std::vector<TableRow> rows;
  std::vector<size_t> quiet = {};  ///< rows that stand back, ascending: floors
};
std::string html_of(const HtmlTable& table);

/// A part of a page that is closed until a reader opens it. `body` is HTML.
std::string html_fold(std::string_view summary, std::string_view body);
/// Text as it is, line by line.
std::string html_verbatim(std::string_view text);

/// A whole page that asks for nothing from elsewhere: `body` is HTML. It is light or dark as its reader has it.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace astroclip::report
