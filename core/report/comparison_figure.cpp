#include "report/comparison_figure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluate/report.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

constexpr size_t most_compared = 24;  // lines
/// Points of the linetypes, of the first runs and, hollow, of as many others.
constexpr int filled_points[] = {7, 5, 9, 11, 13, 15, 3};
constexpr const char* compared_metric = "R²";

/// What several runs have measured of their models.
struct Compared {
  struct Of {
    size_t run;
    Metric metric;
    int64_t objects;
  };
  std::string name;
  std::vector<Of> of_runs;
};

std::vector<Compared> compared_lines(const std::vector<ResultTable>& tables) {
  std::vector<Compared> all;
  for (const ResultTable& table : tables) {
    for (const auto& [run, own, numbers] : table.lines) {
      const auto metric = std::ranges::find(own.values, compared_metric, &Metric::name);
      if (own.role != Role::model || metric == own.values.end() || !std::isfinite(metric->value)) continue;
      const std::string subject = table.title.substr(0, table.title.find(':'));
      const std::string name = fmt::format("{} {}, {} {}", subject.substr(0, subject.find(' ')), own.method,
                                           own.modality, own.representation);
      auto line = std::ranges::find(all, name, &Compared::name);
      if (line == all.end()) line = all.insert(all.end(), {name, {}});
      line->of_runs.push_back({run, *metric, own.n_test});
    }
  }
  std::erase_if(all, [](const Compared& line) { return line.of_runs.size() < 2; });
  if (all.size() > most_compared) all.resize(most_compared);
  return all;
}

}  // namespace

std::vector<Figure> comparison_figures(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs) {
  const std::vector<Compared> lines = compared_lines(tables);
  if (lines.empty()) return {};
  const auto rows = static_cast<double>(lines.size()), step = 0.6 / static_cast<double>(runs.size());
  Figure figure{.name = "comparison",
                .width = 940,
                .height = static_cast<int>(90 + lines.size() * std::max<size_t>(26, 10 * runs.size()))};
  figure.table = {"R² of all runs", {"of", "run", "n", "R²"}, 2, {}};
  Blocks blocks;
  std::vector<std::string> plots, names;
  int64_t least = std::numeric_limits<int64_t>::max(), most = 0;
  for (size_t run = 0; run < runs.size(); ++run) {
    std::string points;
    for (size_t row = 0; row < lines.size(); ++row) {
      for (const auto& [of, metric, objects] : lines[row].of_runs) {
        if (of != run) continue;
        const auto known = [](double error) { return std::isfinite(error) ? error : 0.0; };
        points += fmt::format("{:.6g} {:.3g} {:.3g}\n", metric.value,
                              static_cast<double>(row) - 0.3 + (static_cast<double>(run) + 0.5) * step,
                              std::hypot(known(metric.object_error), known(metric.seed_error)));
        figure.table.rows.push_back(
            {lines[row].name, runs[run].name, std::to_string(objects), evaluate::metric_text(metric)});
        least = std::min(least, objects), most = std::max(most, objects);
      }
    }
    if (points.empty()) continue;
    const size_t line = run % std::size(filled_points);
    const int hollow = run / std::size(filled_points) % 2 == 0 ? 0 : 1;
    plots.push_back(
        fmt::format("data index {} using 1:2:3 with xerrorbars linetype {} pointtype {} pointsize 0.7 title {}",
                    blocks.add(runs[run].name + ": R², place, standard error", points), line + 1,
                    filled_points[line] - hollow, gnuplot_text(runs[run].name)));
  }
  for (size_t row = 0; row < lines.size(); ++row)
    names.push_back(fmt::format("{} {}", gnuplot_text(lines[row].name), row));
  figure.data = blocks.text();
  figure.script = fmt::format(
      "set yrange [{}:-0.5]\nset ytics ({}) scale 0\nset xlabel 'R²'\nset grid xtics linecolor rgb '#bbbbbb'\n"
      "set key tmargin horizontal\nplot {}\n",
      rows - 0.5, fmt::join(names, ", "), fmt::join(plots, ", \\\n  "));
  figure.caption = fmt::format("R² of the models of {} runs on {} test objects.", plots.size(),
                               least == most ? std::to_string(most) : fmt::format("{} to {}", least, most));
  figure.errors =
      "Bars are standard errors: over test objects, by the bootstrap, and over random starts of probes, added in "
      "quadrature.";
  figure.alt = fmt::format("Points with error bars: R² of {} runs in {} lines.", plots.size(), lines.size());
  return {figure};
}

}  // namespace astroclip::report
