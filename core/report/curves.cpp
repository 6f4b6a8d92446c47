#include "report/curves.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

constexpr int64_t most_points = 150, table_lines = 10;
constexpr size_t names_in_line = 3;    // of the key, of several runs
constexpr double least_decade = 10.0;  // of a loss on a logarithmic axis: greatest over least

struct LossPoint {
  int64_t step = 0;
  double loss = 0.0;
};

/// The values of a metric of a stage, by step.
std::vector<LossPoint> points_of(const RunResults& run, const std::string& stage, const std::string& metric) {
  std::vector<LossPoint> points;
  for (const record::MetricsLine& line : run.metrics) {
    if (line.stage != stage) continue;
    const auto found = std::ranges::find(line.values, metric, &std::pair<std::string, double>::first);
    if (found != line.values.end()) points.push_back({line.step, found->second});
  }
  return points;
}

/// A mean over the steps up to one, with its standard error; 0 of a single step.
struct MeanLoss {
  int64_t step = 0;
  double mean = 0.0, error = 0.0;
};

std::vector<MeanLoss> means_of(const std::vector<LossPoint>& points, int64_t most) {
  const auto count = std::ssize(points), groups = std::min(most, count);
  std::vector<MeanLoss> means;
  for (int64_t group = 0; group < groups; ++group) {
    const auto begin = points.begin() + group * count / groups, end = points.begin() + (group + 1) * count / groups;
    const auto n = static_cast<double>(end - begin);
    MeanLoss& mean = means.emplace_back(MeanLoss{std::prev(end)->step});
    for (auto point = begin; point != end; ++point) mean.mean += point->loss / n;
    for (auto point = begin; point != end; ++point) mean.error += std::pow(point->loss - mean.mean, 2);
    mean.error = n > 1.0 ? std::sqrt(mean.error / (n - 1.0) / n) : 0.0;
  }
  return means;
}

std::vector<std::string> stages_of(const std::vector<RunResults>& runs) {
  std::vector<std::string> stages;
  for (const RunResults& run : runs) {
    for (const std::string& stage : run.stages()) {
      if (std::ranges::find(stages, stage) == stages.end()) stages.push_back(stage);
    }
  }
  return stages;
}

std::string loss_text(double value) { return fmt::format("{:.4g}", value); }

/// The last validation up to a step and after another one; "" for none.
std::string validation_at(const std::vector<LossPoint>& points, int64_t after, int64_t step) {
  std::string text;
  for (const LossPoint& point : points) {
    if (point.step > after && point.step <= step) text = loss_text(point.loss);
  }
  return text;
}

Figure curves_of(const std::vector<RunResults>& runs, const std::string& stage) {
  const bool many = runs.size() > 1;
  const auto key_lines = static_cast<int>((runs.size() + names_in_line - 1) / names_in_line);
  Figure figure{.name = file_name_of("loss " + stage), .width = 620, .height = 380 + (many ? 20 * key_lines : 0)};
  figure.table = {
      fmt::format("Loss of stage {}", stage), {"run", "steps", "training", "standard error", "validation"}, 1, {}};
  Blocks blocks;
  std::vector<std::string> plots;
  double least = std::numeric_limits<double>::infinity(), greatest = 0.0;
  int64_t steps = 0, averaged = 0, least_batch = std::numeric_limits<int64_t>::max(), batch = 0;
  bool any_validation = false;
  for (size_t run = 0; run < runs.size(); ++run) {
    const std::vector<LossPoint> training = points_of(runs[run], stage, "loss"),
                                 validation = points_of(runs[run], stage, "validation.loss");
    if (training.empty()) continue;
    const std::string name = many ? runs[run].name + ", " : "";
    const size_t line = many ? run % 7 + 1 : 1;
    std::string lines;
    for (const auto& [step, mean, error] : means_of(training, most_points)) {
      lines += fmt::format("{} {:.6g} {:.3g}\n", step, mean, error);
      least = std::min(least, mean), greatest = std::max(greatest, mean);
    }
    const int64_t block = blocks.add(name + "training: step, mean loss, standard error", lines);
    plots.push_back(
        fmt::format("data index {} using 1:($2-$3):($2+$3) with filledcurves linetype {} fillstyle transparent "
                    "solid 0.25",
                    block, line));
    plots.push_back(fmt::format("data index {} using 1:2 with lines linetype {} title {}", block, line,
                                gnuplot_text(many ? runs[run].name : "training")));
    if (!validation.empty()) {
      any_validation = true;
      lines.clear();
      for (const auto& [step, loss] : validation) lines += fmt::format("{} {:.6g}\n", step, loss);
      plots.push_back(
          fmt::format("data index {} using 1:2 with linespoints linetype {} pointtype {} pointsize 0.6 "
                      "dashtype 2 title {}",
                      blocks.add(name + "validation: step, loss", lines), many ? line : 2, many ? 6 : 5,
                      many ? "''" : "'validation'"));
    }
    steps = std::max(steps, training.back().step);
    if (const auto own = runs[run].batches.find(stage); own != runs[run].batches.end())
      least_batch = std::min(least_batch, own->second), batch = std::max(batch, own->second);
    averaged = std::max(averaged, (std::ssize(training) + most_points - 1) / most_points);
    int64_t before = 0;
    for (const auto& [step, mean, error] : means_of(training, table_lines)) {
      figure.table.rows.push_back({runs[run].name, fmt::format("{}–{}", before + 1, step), loss_text(mean),
                                   fmt::format("{:.2g}", error), validation_at(validation, before, step)});
      before = step;
    }
  }
  if (plots.empty()) return figure;
  figure.data = blocks.text();
  const bool is_logarithmic = least > 0.0 && greatest / least > least_decade;
  figure.script = fmt::format(
      "set xlabel 'step'\nset ylabel 'loss'\n{}set key {}\nplot {}\n", is_logarithmic ? "set logscale y\n" : "",
      many ? fmt::format("tmargin horizontal maxcols {}", names_in_line) : "top right", fmt::join(plots, ", \\\n  "));
  figure.caption = fmt::format(
      "Loss of stage {} over {} {}{}. Training: {}{}.", stage, steps, steps == 1 ? "step" : "steps",
      batch > 0 ? fmt::format(" of {}{} objects", least_batch < batch ? "up to " : "", batch) : "",
      averaged > 1 ? fmt::format("means of up to {} steps", averaged) : "each step",
      any_validation ? fmt::format("; validation{}: the objects set apart, at each validation", many ? " (dashed)" : "")
                     : "");
  figure.errors =
      fmt::format("{}{}",
                  averaged > 1 ? "The band is one standard error of a mean, from the scatter of its steps."
                               : "No errors are drawn: a point is the loss of one step.",
                  any_validation ? " Validation has none, being one pass over the same objects each time." : "");
  figure.alt = fmt::format("Curves of the loss of stage {}: training falls from {} to {}.", stage,
                           figure.table.rows.front()[2], figure.table.rows.back()[2]);
  return figure;
}

}  // namespace

std::vector<Figure> curve_figures(const std::vector<RunResults>& runs) {
  std::vector<Figure> figures;
  for (const std::string& stage : stages_of(runs)) figures.push_back(curves_of(runs, stage));
  return with_data(std::move(figures));
}

}  // namespace astroclip::report
