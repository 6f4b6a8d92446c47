#include "report/posterior_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "api/task.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

constexpr int64_t transform_bins = 20, coverage_levels = 20;
constexpr std::string_view transform_mark = " PIT";

/// The transforms of one output of a prediction, those that are finite.
std::vector<double> transforms_of(const Prediction& one, size_t output) {
  std::vector<double> values;
  for (size_t i = output; i < one.predicted.size(); i += one.outputs.size()) {
    if (std::isfinite(one.predicted[i])) values.push_back(one.predicted[i]);
  }
  return values;
}

Figure calibration_of(const Prediction& one) {
  const std::string method = one.method.substr(0, one.method.size() - transform_mark.size());
  Figure figure{.name = file_name_of(fmt::format("calibration {} {} {}", one.label, one.modality, method)),
                .width = 940,
                .height = 380};
  figure.table = {"Calibration", {"label", "n", "of", "at", "value", "standard error"}, 1, {}};
  Blocks blocks;
  std::vector<std::string> histograms, coverages;
  int64_t objects = 0;
  for (size_t output = 0; output < one.outputs.size(); ++output) {
    const std::vector<double> values = transforms_of(one, output);
    if (values.empty()) continue;
    const auto count = static_cast<double>(values.size());
    objects = std::max(objects, std::ssize(values));
    std::vector<double> bins(static_cast<size_t>(transform_bins));
    for (const double value : values) {
      const auto bin = static_cast<int64_t>(value * static_cast<double>(transform_bins));
      bins[static_cast<size_t>(std::clamp<int64_t>(bin, 0, transform_bins - 1))] += 1.0;
    }
    std::string lines;
    const auto add_row = [&](const char* of, double at, double value, double error) {
      figure.table.rows.push_back({one.outputs[output], std::to_string(values.size()), of, fmt::format("{:.3g}", at),
                                   fmt::format("{:.3f}", value), fmt::format("{:.3f}", error)});
    };
    for (size_t bin = 0; bin < bins.size(); ++bin) {
      const double scale = static_cast<double>(transform_bins) / count,
                   middle = (static_cast<double>(bin) + 0.5) / static_cast<double>(transform_bins),
                   density = bins[bin] * scale, error = std::sqrt(bins[bin]) * scale;
      lines += fmt::format("{:.3f} {:.5g} {:.3g}\n", middle, density, error);
      add_row("density of the PIT", middle, density, error);
    }
    const size_t line = output % 7 + 1;
    histograms.push_back(fmt::format("data index {} using 1:2 with histeps linetype {} title {}",
                                     blocks.add(one.outputs[output] + ": PIT, density, standard error", lines), line,
                                     gnuplot_text(one.outputs[output])));
    lines.clear();
    for (int64_t level = 1; level < coverage_levels; ++level) {
      const double share = static_cast<double>(level) / static_cast<double>(coverage_levels);
      const auto inside = static_cast<double>(
          std::ranges::count_if(values, [&](double value) { return std::abs(value - 0.5) <= 0.5 * share; }));
      const double within = inside / count, error = std::sqrt(within * (1.0 - within) / count);
      lines += fmt::format("{:.2f} {:.5f} {:.3g}\n", share, within, error);
      add_row("share within level", share, within, error);
    }
    coverages.push_back(fmt::format("data index {} using 1:2:3 with yerrorlines linetype {} pointsize 0.4 title {}",
                                    blocks.add(one.outputs[output] + ": level, share within, standard error", lines),
                                    line, gnuplot_text(one.outputs[output])));
  }
  // Of a bin where the transforms are uniform.
  const double flat =
      std::sqrt(static_cast<double>(transform_bins) / static_cast<double>(std::max<int64_t>(1, objects)));
  figure.data = blocks.text();
  figure.script = fmt::format(
      "set multiplot layout 1,2\nset xlabel 'probability integral transform'\nset ylabel 'density'\nset xrange "
      "[0:1]\nset yrange [0:*]\n"
      "set key tmargin center horizontal\nplot [0:1] '+' using 1:({:.4f}):({:.4f}) with filledcurves linecolor rgb "
      "'#888888' "
      "fillstyle transparent solid 0.25, {}, 1 with lines linecolor rgb '#888888' dashtype 3\n"
      "set xlabel 'level of the central interval'\nset ylabel 'share of true values within'\nset yrange [0:1]\nset key "
      "inside top left vertical\n"
      "plot {}, x with lines linecolor rgb '#888888' dashtype 3\nunset multiplot\n",
      1.0 - flat, 1.0 + flat, fmt::join(histograms, ", "), fmt::join(coverages, ", "));
  figure.caption = fmt::format(
      "Calibration of the posterior densities from {} ({}, {}) of {} test objects. Left: the probability integral "
      "transform, flat (dotted) where "
      "densities are calibrated. Right: true values within central intervals, on the dotted line where calibrated.",
      one.modality, one.representation, method, objects);
  figure.errors =
      "The band is the standard error of a flat histogram, from the square root of its counts; bars are binomial "
      "standard errors, √(p(1 − p)/n).";
  figure.alt =
      fmt::format("Left a histogram of the PIT, right coverage by level, of {}.", fmt::join(one.outputs, ", "));
  return figure;
}

}  // namespace

std::vector<Figure> posterior_figures(const std::vector<StoredPrediction>& predictions) {
  std::vector<Figure> figures;
  for (const StoredPrediction& one : predictions) {
    if (one.values.role == Role::model && one.values.method.ends_with(transform_mark) && !one.values.outputs.empty())
      figures.push_back(calibration_of(one.values));
  }
  return with_data(std::move(figures));
}

}  // namespace astroclip::report
