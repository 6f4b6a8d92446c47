#include "report/plain_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace astroclip::report {

std::string latex_text(const std::string& text) {
  static const std::pair<const char*, const char*> replaced[] = {{"²", "$^2$"},
                                                                 {"σ", "$\\sigma$"},
                                                                 {"Δ", "$\\Delta$"},
                                                                 {"→", "$\\to$"},
                                                                 {"±", "$\\pm$"},
                                                                 {"–", "--"},
                                                                 {"…", "\\ldots{}"},
                                                                 {">", "$>$"},
                                                                 {"<", "$<$"},
                                                                 {"_", "\\_"},
                                                                 {"%", "\\%"},
                                                                 {"&", "\\&"},
                                                                 {"#", "\\#"},
                                                                 {"|", "$|$"},
                                                                 {"$", "\\$"},
                                                                 {"{", "\\{"},
                                                                 {"}", "\\}"},
                                                                 {"\n", " "},
                                                                 {"\\", "\\textbackslash{}"},
                                                                 {"~", "\\textasciitilde{}"},
                                                                 {"^", "\\textasciicircum{}"}};
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto found = std::ranges::find_if(
        replaced, [&](const auto& pair) { return std::string_view(text).substr(at).starts_with(pair.first); });
    if (found == std::end(replaced)) {
      out += text[at++];
    } else {
      out += found->second;
      at += std::string_view(found->first).size();
    }
  }
  return out;
}

std::string latex_table(const std::vector<TableRow>& lines, size_t text_columns) {
  std::string columns(text_columns, 'l');
  columns += std::string(lines[0].size() - text_columns, 'r');
  std::string text = fmt::format("\\begin{{tabular}}{{{}}}\n\\toprule\n", columns);
  for (size_t row = 0; row < lines.size(); ++row) {
    text += fmt::format("{} \\\\\n{}", fmt::join(lines[row], " & "), row == 0 ? "\\midrule\n" : "");
  }
  return text + "\\bottomrule\n\\end{tabular}\n";
}

std::string csv_quoted(std::string text) {
  for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 2)) text.insert(at, 1, '"');
  return fmt::format("\"{}\"", text);
}

}  // namespace astroclip::report
