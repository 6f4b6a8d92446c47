#include "report/result_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "evaluate/report.h"
#include "report/plain_tables.h"
#include "report/published.h"

namespace astroclip::report {

namespace {

using Json = nlohmann::ordered_json;

const Metric* metric_of(const Measurement& line, const std::string& name) {
  const auto found = std::ranges::find(line.values, name, &Metric::name);
  return found == line.values.end() ? nullptr : &*found;
}

auto subject(const ResultTable::Line& line) {
  return std::tie(line.measured.modality, line.measured.representation, line.measured.method);
}

/// The table of that title, or of several of it in each run that of the number.
ResultTable& table_named(const std::string& title, size_t number, std::vector<ResultTable>& tables) {
  for (ResultTable& table : tables) {
    if (table.title == title && number-- == 0) return table;
  }
  tables.push_back({.title = title});
  return tables.back();
}

/// Puts a line behind the last one on the same thing, or at the end.
void insert(ResultTable& table, ResultTable::Line line) {
  const auto same = [&](const ResultTable::Line& other) { return subject(other) == subject(line); };
  const auto last = std::find_if(table.lines.rbegin(), table.lines.rend(), same);
  table.lines.insert(last == table.lines.rend() ? table.lines.end() : last.base(), std::move(line));
}

bool has_published(const ResultTable& table, size_t metric) {
  return std::ranges::any_of(table.lines,
                             [&](const ResultTable::Line& line) { return !std::isnan(line.published[metric]); });
}

std::string role_mark(Role role) { return role == Role::model ? "" : role == Role::floor ? "floor: " : "baseline: "; }

std::string published_text(double value) { return std::isnan(value) ? "" : fmt::format("{}", value); }

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

}  // namespace

std::vector<ResultTable> result_tables(const std::vector<RunResults>& runs) {
  std::vector<ResultTable> tables;
  for (size_t run = 0; run < runs.size(); ++run) {
    std::map<std::string, size_t> seen;
    for (const Report& report : runs[run].reports) {
      ResultTable& table = table_named(report.title, seen[report.title]++, tables);
      table.protocol = report.protocol;
      for (const std::string& note : {report.note, published_rivals(report, runs[run])}) {
        if (!note.empty()) table.notes.push_back(note);
      }
      for (const Measurement& line : report.rows) {
        for (const Metric& metric : line.values) {
          if (std::ranges::find(table.metrics, metric.name) == table.metrics.end())
            table.metrics.push_back(metric.name);
        }
      }
      for (const Measurement& line : report.rows) {
        std::vector<double> numbers;
        for (const std::string& metric : table.metrics) numbers.push_back(published(report, line, metric, runs[run]));
        insert(table, {run, line, std::move(numbers)});
      }
    }
  }
  for (ResultTable& table : tables) {
    for (ResultTable::Line& line : table.lines) line.published.resize(table.metrics.size(), std::nan(""));
    std::vector<std::string> different;
    for (const std::string& note : table.notes) {
      if (std::ranges::find(different, note) == different.end()) different.push_back(note);
    }
    table.notes = std::move(different);
  }
  return tables;
}

HtmlTable cells_of(const ResultTable& table, const std::vector<RunResults>& runs) {
  const bool many = runs.size() > 1;
  HtmlTable cells{table.title, {"from", "representation", "method"}, many ? size_t{4} : size_t{3}, {}};
  if (many) cells.head.emplace_back("run");
  cells.head.insert(cells.head.end(), {"n train", "n test"});
  for (size_t i = 0; i < table.metrics.size(); ++i) {
    cells.head.push_back(table.metrics[i]);
    if (has_published(table, i)) cells.head.push_back("published " + table.metrics[i]);
  }
  for (const ResultTable::Line& line : table.lines) {
    const Measurement& own = line.measured;
    if (own.role != Role::model) cells.quiet.push_back(cells.rows.size());
    TableRow& row =
        cells.rows.emplace_back(TableRow{own.modality, role_mark(own.role) + own.representation, own.method});
    if (many) row.push_back(runs[line.run].name);
    row.insert(row.end(), {std::to_string(own.n_train), std::to_string(own.n_test)});
    for (size_t i = 0; i < table.metrics.size(); ++i) {
      const Metric* metric = metric_of(own, table.metrics[i]);
      row.push_back(metric == nullptr ? "" : evaluate::metric_text(*metric));
      if (has_published(table, i)) row.push_back(published_text(line.published[i]));
    }
  }
  return cells;
}

HtmlTable overview(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs) {
  HtmlTable cells{
      "All runs: the first metric of each line", {"table", "from", "representation", "method", "metric"}, 5, {}};
  for (const RunResults& run : runs) cells.head.push_back(run.name);
  for (const ResultTable& table : tables) {
    for (auto line = table.lines.begin(); line != table.lines.end();) {
      const auto end = std::find_if(line, table.lines.end(),
                                    [&](const ResultTable::Line& other) { return subject(other) != subject(*line); });
      const Measurement& own = line->measured;
      if (own.role == Role::model && !own.values.empty()) {
        const std::string& metric = own.values.front().name;
        TableRow row = {table.title.substr(0, table.title.find(':')), own.modality, own.representation, own.method,
                        metric};
        row.resize(row.size() + runs.size());
        for (auto one = line; one != end; ++one) {
          const Metric* value = metric_of(one->measured, metric);
          if (value != nullptr) row[5 + one->run] = evaluate::metric_text(*value);
        }
        cells.rows.push_back(std::move(row));
      }
      line = end;
    }
  }
  return cells;
}

std::string tables_latex(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs) {
  std::string text = "% Needs the package booktabs.\n";
  for (const ResultTable& table : tables) {
    if (table.lines.empty()) continue;
    const HtmlTable cells = cells_of(table, runs);
    std::vector<TableRow> lines = {cells.head};
    lines.insert(lines.end(), cells.rows.begin(), cells.rows.end());
    for (TableRow& line : lines) {
      for (std::string& cell : line) cell = latex_text(cell);
    }
    text += fmt::format("\n% {}\n", latex_text(table.title));
    for (const std::string& note : table.notes) text += fmt::format("% {}\n", latex_text(note));
    text += latex_table(lines, cells.text_columns);
  }
  return text;
}

std::string tables_csv(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs) {
  std::string text =
      "table,run,from,representation,role,method,n_train,n_test,metric,value,error_objects,error_seeds,published\n";
  const auto full = [](double value) { return std::isfinite(value) ? fmt::format("{}", value) : std::string(); };
  for (const ResultTable& table : tables) {
    for (const auto& [run, own, numbers] : table.lines) {
      for (const Metric& metric : own.values) {
        const auto place = std::ranges::find(table.metrics, metric.name) - table.metrics.begin();
        const TableRow line = {csv_quoted(table.title),
                               csv_quoted(runs[run].name),
                               csv_quoted(own.modality),
                               csv_quoted(own.representation),
                               evaluate::role_name(own.role),
                               csv_quoted(own.method),
                               std::to_string(own.n_train),
                               std::to_string(own.n_test),
                               csv_quoted(metric.name),
                               full(metric.value),
                               full(metric.object_error),
                               full(metric.seed_error),
                               full(numbers[static_cast<size_t>(place)])};
        text += fmt::format("{}\n", fmt::join(line, ","));
      }
    }
  }
  return text;
}

std::string tables_json(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs) {
  Json all = {{"runs", Json::array()}, {"tables", Json::array()}};
  for (const RunResults& run : runs) {
    all["runs"].push_back(
        {{"name", run.name}, {"seed", run.seed}, {"model_hash", run.model_hash}, {"machine", run.machine}});
  }
  for (const ResultTable& table : tables) {
    Json lines = Json::array();
    for (const auto& [run, own, numbers] : table.lines) {
      Json values = Json::object();
      for (const Metric& metric : own.values) {
        const auto place = std::ranges::find(table.metrics, metric.name) - table.metrics.begin();
        values[metric.name] = {{"value", number_or_null(metric.value)},
                               {"error_objects", number_or_null(metric.object_error)},
                               {"error_seeds", number_or_null(metric.seed_error)},
                               {"published", number_or_null(numbers[static_cast<size_t>(place)])}};
      }
      lines.push_back({{"run", runs[run].name},
                       {"from", own.modality},
                       {"representation", own.representation},
                       {"role", evaluate::role_name(own.role)},
                       {"method", own.method},
                       {"n_train", own.n_train},
                       {"n_test", own.n_test},
                       {"values", values}});
    }
    all["tables"].push_back(
        {{"title", table.title}, {"protocol", table.protocol}, {"notes", table.notes}, {"lines", lines}});
  }
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace astroclip::report
