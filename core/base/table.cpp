#include "base/table.h"

#include <algorithm>

#include "base/text.h"

namespace astroclip {

namespace {

std::vector<size_t> column_widths(const std::vector<TableRow>& rows, size_t least) {
  std::vector<size_t> widths;
  for (const TableRow& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), least);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  return widths;
}

std::string padding(const std::string& text, size_t width) { return std::string(width - text_width(text), ' '); }

}  // namespace

std::string format_table(const std::vector<TableRow>& rows, std::string_view indent, size_t left_columns) {
  const std::vector<size_t> widths = column_widths(rows, 0);
  std::string text;
  for (const TableRow& row : rows) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      const std::string space = padding(row[i], widths[i]);
      line += i < left_columns ? row[i] + space : space + row[i];
    }
    line.resize(line.find_last_not_of(' ') + 1);  // npos + 1 is 0
    text += line + "\n";
  }
  return text;
}

std::string markdown_table(const std::vector<TableRow>& rows) {
  const std::vector<size_t> widths = column_widths(rows, 3);
  std::string text, rule = "|";
  for (const size_t width : widths) rule += std::string(width + 2, '-') + "|";
  for (const TableRow& row : rows) {
    text += "|";
    for (size_t i = 0; i < row.size(); ++i) text += " " + row[i] + padding(row[i], widths[i]) + " |";
    text += "\n";
    if (&row == &rows.front()) text += rule + "\n";
  }
  return text;
}

}  // namespace astroclip
