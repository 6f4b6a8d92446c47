#include "report/validation_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "record/figure.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace fs = std::filesystem;

namespace {

constexpr size_t points_along = 1600;  // along x

/// The tables of a stage's last step, "STAGE-STEP-NUMBER.dat", in order.
std::vector<fs::path> last_tables(const std::string& folder, const std::string& stage) {
  std::vector<fs::path> tables;
  int64_t last = -1;
  if (!fs::is_directory(folder)) return tables;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(stage + "-") || !name.ends_with(".dat")) continue;
    long long step = 0, number = 0;
    int read = 0;
    const std::string rest = name.substr(stage.size() + 1);
    if (std::sscanf(rest.c_str(), "%lld-%lld.dat%n", &step, &number, &read) != 2 ||
        static_cast<size_t>(read) != rest.size())
      continue;
    if (step > last) tables.clear();
    last = std::max<int64_t>(last, step);
    if (step == last) tables.push_back(entry.path());
  }
  std::ranges::sort(tables);
  return tables;
}

/// Means of up to `group` values that follow one another; NaN where none is finite.
std::vector<double> means_of(const std::vector<double>& values, size_t group) {
  std::vector<double> means;
  for (size_t begin = 0; begin < values.size(); begin += group) {
    double sum = 0.0, count = 0.0;
    for (size_t i = begin; i < std::min(begin + group, values.size()); ++i) {
      if (std::isfinite(values[i])) sum += values[i], count += 1.0;
    }
    means.push_back(sum / count);
  }
  return means;
}

/// Of the places where both are finite: how many, and the root mean square of the difference and of the first one about
/// its mean.
struct Agreement {
  int64_t count = 0;
  double difference = 0.0, deviation = 0.0;
};

Agreement agreement_of(const std::vector<double>& seen, const std::vector<double>& made) {
  Agreement all;
  double sum = 0.0, squares = 0.0;
  for (size_t i = 0; i < seen.size(); ++i) {
    if (!std::isfinite(seen[i]) || !std::isfinite(made[i])) continue;
    ++all.count;
    sum += seen[i], squares += seen[i] * seen[i];
    all.difference += (seen[i] - made[i]) * (seen[i] - made[i]);
  }
  const auto n = static_cast<double>(std::max<int64_t>(1, all.count));
  all.difference = std::sqrt(all.difference / n);
  all.deviation = std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
  return all;
}

Figure figure_of(const std::string& stage, const std::vector<fs::path>& tables) {
  Figure figure{
      .name = file_name_of("validation " + stage), .width = 940, .height = static_cast<int>(105 + 170 * tables.size())};
  figure.table = {fmt::format("Lines over the first one at the last validation of stage {}", stage),
                  {"object", "line", "points", "rms of the difference", "deviation of the first line"},
                  2,
                  {}};
  figure.script =
      fmt::format("set multiplot layout {},1 margins 0.1,0.98,{:.3f},{:.3f} spacing 0,{:.3f}\nset tics font ',10'\n",
                  tables.size(), 65.0 / figure.height, 1.0 - 45.0 / figure.height, 26.0 / figure.height);
  std::vector<record::Figure> pages;
  for (const fs::path& table : tables) pages.push_back(record::read_figure(table.string()));
  // The name of an axis is longer than a panel is high: that of all stands beside the middle one.
  const bool have_same_axis =
      std::ranges::all_of(pages, [&](const record::Figure& page) { return page.y_label == pages.front().y_label; });
  Blocks blocks;
  std::vector<std::string> names;
  size_t group = 1;
  std::string when;
  for (size_t panel = 0; panel < pages.size(); ++panel) {
    const record::Figure& page = pages[panel];
    const LossFigure& drawn = page.drawn;
    if (drawn.x.empty() || drawn.lines.empty()) continue;
    group = std::max<size_t>(group, (drawn.x.size() + points_along - 1) / points_along);
    const size_t colon = page.title.find(": ");
    const std::string object = colon == std::string::npos ? page.title : page.title.substr(colon + 2);
    when = page.title.substr(0, std::min(colon, page.title.size()));
    figure.script += fmt::format(
        "unset object\nset title {} font ',11' offset 0,-0.7\n{}set ylabel {} font ',11'\nset xrange "
        "[{:.6g}:{:.6g}]\n{}",
        gnuplot_text(object),
        panel + 1 == tables.size() ? fmt::format("set format x\nset xlabel {}\n", gnuplot_text(drawn.x_label))
                                   : "set format x ''\n",
        have_same_axis && panel != pages.size() / 2 ? "''" : gnuplot_text(page.y_label), drawn.x.front(),
        drawn.x.back(), panel == 0 ? "set key at graph 1,1.2 right top horizontal\n" : "unset key\n");
    for (const auto& [begin, end] : drawn.shaded) {
      figure.script += fmt::format(
          "set object rectangle from {:.6g}, graph 0 to {:.6g}, graph 1 behind fillcolor linetype 5 fillstyle solid "
          "0.25 noborder\n",
          begin, end);
    }
    const std::vector<double> x = means_of(drawn.x, group);
    std::vector<std::string> plots;
    names.clear();
    for (size_t line = 0; line < drawn.lines.size(); ++line) {
      const LossFigure::Line& one = drawn.lines[line];
      names.push_back(one.name);
      const std::vector<double> y = means_of(one.y, group);
      std::string lines;
      bool has_points = false;
      for (size_t i = 0; i < x.size(); ++i) {
        const bool is_known = std::isfinite(y[i]);
        // An empty line is a gap.
        if (is_known) lines += fmt::format("{:.6g} {:.4g}\n", x[i], y[i]);
        if (!is_known && has_points && i > 0 && std::isfinite(y[i - 1])) lines += "\n";
        has_points = has_points || is_known;
      }
      while (lines.ends_with("\n\n")) lines.pop_back();
      if (!has_points) continue;
      plots.push_back(fmt::format(
          "data index {} using 1:2 with lines {} title {}",
          blocks.add(fmt::format("{}: {}, {}", object, drawn.x_label, one.name), lines),
          line == 0 ? "linecolor rgb '#7a828c' linewidth 0.7" : fmt::format("linetype {} linewidth 1.4", line),
          panel == 0 ? gnuplot_text(one.name) : "''"));
      if (line == 0) continue;
      const Agreement agreement = agreement_of(drawn.lines.front().y, one.y);
      figure.table.rows.push_back({object, one.name, std::to_string(agreement.count),
                                   fmt::format("{:.4g}", agreement.difference),
                                   fmt::format("{:.4g}", agreement.deviation)});
    }
    if (!plots.empty()) figure.script += fmt::format("plot {}\n", fmt::join(plots, ", \\\n  "));
  }
  figure.script += "unset multiplot\n";
  figure.data = blocks.text();
  figure.caption = fmt::format(
      "What the loss makes of {} objects at the last validation, {}: {}{}. Shaded: what was hidden from the encoder. "
      "The table has the root mean square of the difference and, beside it, the deviation of what was hidden about its "
      "mean.",
      tables.size(), when, fmt::join(names, " and "), group > 1 ? fmt::format(", in means of {} points", group) : "");
  figure.errors = "No errors are drawn: a line is of one object, whose noise it shows.";
  figure.alt = fmt::format("{} panels, one for each object, with {} over {}.", tables.size(), fmt::join(names, " and "),
                           "what was hidden");
  return figure;
}

}  // namespace

std::vector<Figure> validation_figures(const RunResults& run) {
  std::vector<Figure> figures;
  for (const std::string& stage : run.stages()) {
    const std::vector<fs::path> tables = last_tables(run.folder.figures(), stage);
    if (!tables.empty()) figures.push_back(figure_of(stage, tables));
  }
  return with_data(std::move(figures));
}

}  // namespace astroclip::report
