#include "evaluate/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/table.h"
#include "base/text.h"

namespace astroclip::evaluate {

namespace {

constexpr const char* better_names[] = {"more", "less", "nearer zero"};  // in the order of Better

std::string number(double value) {
  if (!std::isfinite(value)) return "–";
  if (value == std::round(value) && std::abs(value) >= 10.0) return fmt::format("{:.0f}", value);
  return std::abs(value) >= 100.0 ? fmt::format("{:.1f}", value) : fmt::format("{:.4f}", value);
}

/// Every metric of the report, in order of first appearance.
std::vector<std::string> metric_names(const Report& report) {
  std::vector<std::string> names;
  for (const Measurement& row : report.rows) {
    for (const auto& [name, value] : row.values) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::vector<TableRow> lines_of(const Report& report) {
  const std::vector<std::string> metrics = metric_names(report);
  std::vector<TableRow> lines = {{"from", "representation", "method"}};
  lines[0].insert(lines[0].end(), metrics.begin(), metrics.end());
  for (const Measurement& row : report.rows) {
    TableRow line = {row.modality, (row.baseline ? "  floor: " : "") + row.representation, row.method};
    for (const std::string& metric : metrics) {
      const auto found = std::ranges::find(row.values, metric, &std::pair<std::string, double>::first);
      line.push_back(found == row.values.end() ? "" : number(found->second));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string table(const Report& report) {
  constexpr size_t text_columns = 3;
  std::string text = format_table(lines_of(report), "  ", text_columns);
  const std::string head = text.substr(0, text.find('\n'));
  return text.insert(head.size() + 1, "  " + std::string(text_width(head) - 2, '-') + "\n");
}

}  // namespace

std::string report_text(const std::vector<Report>& reports) {
  std::string text;
  for (const Report& report : reports) {
    text += fmt::format("\n{}\n{}{}", report.title, report.rows.empty() ? "" : table(report),
                        report.note.empty() ? "" : "  " + report.note + "\n");
  }
  return text;
}

std::string report_json(const std::vector<Report>& reports) {
  using Json = nlohmann::ordered_json;
  Json all = Json::array();
  for (const Report& report : reports) {
    Json rows = Json::array();
    for (const Measurement& row : report.rows) {
      Json values = Json::object();
      for (const auto& [name, value] : row.values) values[name] = std::isfinite(value) ? Json(value) : Json();
      rows.push_back({{"modality", row.modality},
                      {"representation", row.representation},
                      {"method", row.method},
                      {"baseline", row.baseline},
                      {"values", values}});
    }
    Json better = Json::object();
    for (const auto& [name, which] : report.better) better[name] = better_names[static_cast<size_t>(which)];
    all.push_back({{"title", report.title}, {"note", report.note}, {"better", better}, {"rows", rows}});
  }
  return all.dump(2) + "\n";
}

}  // namespace astroclip::evaluate
