#include "compare/render.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/table.h"
#include "report/plain_tables.h"

namespace astroclip::compare {

namespace {

constexpr double significant = 0.05;

/// Decimals that show two digits of an error; without one, four digits of the value.
int decimals(double value, double error) {
  const double scale = error > 0.0 ? error / 10.0 : std::abs(value) / 1000.0;
  if (!std::isfinite(scale) || scale == 0.0) return 4;
  return std::clamp(static_cast<int>(-std::floor(std::log10(scale))), 0, 6);
}

std::string number(double value, int digits) { return std::isnan(value) ? "–" : fmt::format("{:.{}f}", value, digits); }

std::string signed_number(double value, int digits) {
  return std::isnan(value) ? "–" : fmt::format("{:+.{}f}", value, digits);
}

std::string probability(double p) {
  if (std::isnan(p)) return "–";
  return p < 0.0001 ? "< 0.0001" : fmt::format("{:.4f}", p);
}

/// How a format marks text.
struct Style {
  std::function<std::string(const std::string&)> bold, escape;
  const char *plus_minus, *star;
};

std::string cell_text(const Cell& cell, const Style& style) {
  const int digits = decimals(cell.mean, cell.error);
  std::string text = number(cell.mean, digits);
  if (!std::isnan(cell.error)) text += style.plus_minus + number(cell.error, digits);
  if (cell.is_best) text = style.bold(text);
  return cell.p_holm < significant ? text + style.star : text;
}

std::vector<TableRow> main_table(const Comparison& c, const Style& style) {
  std::vector<TableRow> lines = {{"configuration", "seeds"}};
  for (const std::string& measure : c.measures) lines[0].push_back(style.escape(measure));
  for (size_t i = 0; i < c.configurations.size(); ++i) {
    TableRow line = {style.escape(c.configurations[i]), std::to_string(c.cells[i].front().seeds)};
    for (const Cell& cell : c.cells[i]) line.push_back(cell_text(cell, style));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<TableRow> difference_table(const Comparison& c, const Style& style) {
  std::vector<TableRow> lines = {{"measure", "configuration", "difference", "95 % interval", "p", "p corrected"}};
  for (size_t m = 0; m < c.measures.size(); ++m) {
    for (size_t i = 0; i < c.configurations.size(); ++i) {
      const Cell& cell = c.cells[i][m];
      if (c.configurations[i] == c.baseline || cell.pairs == 0) continue;
      const int digits = decimals(cell.difference, cell.interval.high - cell.interval.low);
      const std::string interval = std::isnan(cell.interval.low)
                                       ? "–"
                                       : fmt::format("{} … {}", signed_number(cell.interval.low, digits),
                                                     signed_number(cell.interval.high, digits));
      lines.push_back({style.escape(c.measures[m]), style.escape(c.configurations[i]),
                       signed_number(cell.difference, digits), interval, probability(cell.p),
                       probability(cell.p_holm) + (cell.p_holm < significant ? style.star : "")});
    }
  }
  return lines;
}

std::string main_note(const Comparison& c) {
  std::string note =
      "Mean ± standard error over training seeds; best in bold. Of metrics in bars, absolute values are taken for each "
      "seed.";
  for (const std::string& sentence : c.unlike) note += " " + sentence + ".";
  return note;
}

std::string difference_note(const Comparison& c) {
  return fmt::format(
      "Differences from {} paired by seed, with a percentile bootstrap interval of their mean (too narrow for few "
      "seeds: it never leaves their range). p: paired t test over training seeds, so that it "
      "speaks of other seeds, not of other objects; corrected by Holm's method over the configurations of a measure; * "
      "below {}.",
      c.baseline, significant);
}

}  // namespace

std::string to_markdown(const Comparison& c) {
  const Style style{[](const std::string& text) { return fmt::format("**{}**", text); },
                    [](const std::string& text) { return text; }, " ± ", "*"};
  std::string text = markdown_table(main_table(c, style)) + "\n" + main_note(c) + "\n";
  if (c.baseline.empty()) return text;
  return text + "\n" + markdown_table(difference_table(c, style)) + "\n" + difference_note(c) + "\n";
}

std::string to_latex(const Comparison& c) {
  const Style style{[](const std::string& text) { return fmt::format("\\textbf{{{}}}", text); }, report::latex_text,
                    " $\\pm$ ", "$^*$"};
  const auto comment = [](const std::string& text) { return fmt::format("% {}\n", text); };
  std::string text = comment(main_note(c)) + report::latex_table(main_table(c, style), 1);
  if (c.baseline.empty()) return text;
  std::vector<TableRow> differences = difference_table(c, style);
  for (TableRow& line : differences) {
    for (size_t i = 2; i + 1 < line.size(); ++i) line[i] = report::latex_text(line[i]);
  }
  return text + "\n" + comment(difference_note(c)) + report::latex_table(differences, 2);
}

std::string to_csv(const Comparison& c) {
  std::string text =
      "configuration,measure,seeds,mean,standard_error,object_error,best,baseline,pairs,difference,ci95_low,ci95_high,"
      "p,p_holm\n";
  const auto full = [](double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); };
  for (size_t i = 0; i < c.configurations.size(); ++i) {
    for (size_t m = 0; m < c.measures.size(); ++m) {
      const Cell& cell = c.cells[i][m];
      const TableRow line = {report::csv_quoted(c.configurations[i]),
                             report::csv_quoted(c.measures[m]),
                             std::to_string(cell.seeds),
                             full(cell.mean),
                             full(cell.error),
                             full(cell.object_error),
                             cell.is_best ? "true" : "false",
                             report::csv_quoted(c.baseline),
                             std::to_string(cell.pairs),
                             full(cell.difference),
                             full(cell.interval.low),
                             full(cell.interval.high),
                             full(cell.p),
                             full(cell.p_holm)};
      text += fmt::format("{}\n", fmt::join(line, ","));
    }
  }
  return text;
}

}  // namespace astroclip::compare
