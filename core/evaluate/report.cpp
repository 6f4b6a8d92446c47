#include "evaluate/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/table.h"
#include "base/text.h"
#include "io/output/durable_file.h"

namespace astroclip::evaluate {

namespace {

constexpr const char* role_names[] = {"model", "floor", "baseline"};     // in the order of Role
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
    for (const Metric& metric : row.values) {
      if (std::ranges::find(names, metric.name) == names.end()) names.push_back(metric.name);
    }
  }
  return names;
}

std::string marked(Role role) { return role == Role::model ? "" : fmt::format("  {}: ", role_name(role)); }

std::vector<TableRow> lines_of(const Report& report) {
  const std::vector<std::string> metrics = metric_names(report);
  std::vector<TableRow> lines = {{"from", "representation", "method", "n train", "n test"}};
  lines[0].insert(lines[0].end(), metrics.begin(), metrics.end());
  for (const Measurement& row : report.rows) {
    TableRow line = {row.modality, marked(row.role) + row.representation, row.method, std::to_string(row.n_train),
                     std::to_string(row.n_test)};
    for (const std::string& metric : metrics) {
      const auto found = std::ranges::find(row.values, metric, &Metric::name);
      line.push_back(found == row.values.end() ? "" : metric_text(*found));
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

std::string metric_text(const Metric& metric) {
  const auto known = [](double error) { return std::isfinite(error) ? error : 0.0; };
  const double error = std::hypot(known(metric.object_error), known(metric.seed_error));
  if (!std::isfinite(metric.value) || error == 0.0) return number(metric.value);
  const double power = std::floor(std::log10(error));
  const int digits = error / std::pow(10.0, power) < 3.5 ? 2 : 1;
  const int decimals = std::clamp(digits - 1 - static_cast<int>(power), 0, 6);
  return fmt::format("{:.{}f}±{:.{}f}", metric.value, decimals, error, decimals);
}

std::string role_name(Role role) { return role_names[static_cast<size_t>(role)]; }

std::string report_text(const std::vector<Report>& reports) {
  std::string text;
  for (const Report& report : reports) {
    text += fmt::format("\n{}\n{}{}", report.title, report.rows.empty() ? "" : table(report),
                        report.note.empty() ? "" : "  " + report.note + "\n");
  }
  return text;
}

namespace {

using Json = nlohmann::ordered_json;

/// The value of an enumeration by its name. Throws a Json exception for another word.
template <class Enum, size_t count>
Enum named(const Json& name, const char* const (&names)[count]) {
  Json values;
  for (size_t i = 0; i < count; ++i) values[names[i]] = i;
  return static_cast<Enum>(values.at(name.get<std::string>()).get<size_t>());
}

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Report report_of(const Json& json) {
  const auto numeric = [](const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); };
  Report report{json.at("title"), json.at("note"), {}, {}, json.at("protocol")};
  for (const Json& row : json.at("rows")) {
    report.rows.push_back(
        {row.at("representation"), row.at("modality"), row.at("method"), named<Role>(row.at("role"), role_names), {}});
    Measurement& last = report.rows.back();
    last.n_train = row.at("n_train");
    last.n_test = row.at("n_test");
    for (const auto& [metric, value] : row.at("values").items()) {
      const Json& errors = row.at("errors").at(metric);
      last.values.push_back({metric, numeric(value), numeric(errors.at("objects")), numeric(errors.at("seeds"))});
    }
  }
  for (const auto& [metric, name] : json.at("better").items())
    report.better[metric] = named<Better>(name, better_names);
  return report;
}

}  // namespace

std::string report_json(const std::vector<Report>& reports) {
  Json all = Json::array();
  for (const Report& report : reports) {
    Json rows = Json::array();
    for (const Measurement& row : report.rows) {
      Json values = Json::object(), errors = Json::object();
      for (const Metric& metric : row.values) {
        values[metric.name] = finite_or_null(metric.value);
        errors[metric.name] = {{"objects", finite_or_null(metric.object_error)},
                               {"seeds", finite_or_null(metric.seed_error)}};
      }
      rows.push_back({{"modality", row.modality},
                      {"representation", row.representation},
                      {"method", row.method},
                      {"role", role_name(row.role)},
                      {"n_train", row.n_train},
                      {"n_test", row.n_test},
                      {"values", values},
                      {"errors", errors}});
    }
    Json better = Json::object();
    for (const auto& [name, which] : report.better) better[name] = better_names[static_cast<size_t>(which)];
    all.push_back({{"title", report.title},
                   {"note", report.note},
                   {"protocol", report.protocol},
                   {"better", better},
                   {"rows", rows}});
  }
  return all.dump(2) + "\n";
}

std::vector<Report> read_report(const std::string& path) {
  std::vector<Report> reports;
  try {
    for (const Json& report : Json::parse(io::read_text(path))) reports.push_back(report_of(report));
  } catch (const Json::exception&) {
    throw Error(fmt::format("{}: damaged, or written by another version", path));
  }
  return reports;
}

}  // namespace astroclip::evaluate
