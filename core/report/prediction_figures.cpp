#include "report/prediction_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "evaluate/report.h"
#include "probe/metrics.h"
#include "report/able_probes.h"
#include "report/binned.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

constexpr int64_t most_drawn = 2000;  // points; of more the density is drawn
constexpr int64_t density_cells = 56, residual_bins = 8;

/// The numbers of which a figure is drawn: of each label and modality one prediction.
std::vector<const StoredPrediction*> drawn_of(const std::vector<StoredPrediction>& predictions) {
  std::map<std::tuple<std::string, std::string, std::string>, const StoredPrediction*> chosen;
  for (const StoredPrediction& one : predictions) {
    const bool is_number = one.values.outputs.empty() && one.values.ids.size() > 1;
    if (!is_number || one.values.role != Role::model || !is_able_probe(one.values.method)) continue;
    const StoredPrediction*& best = chosen[{one.task, one.values.label, one.values.modality}];
    if (best == nullptr || place_of_probe(one.values.method) < place_of_probe(best->values.method)) best = &one;
  }
  std::vector<const StoredPrediction*> drawn;
  for (const auto& [key, one] : chosen) drawn.push_back(one);
  // Redshift before other labels.
  std::ranges::stable_partition(drawn, [](const StoredPrediction* one) { return one->task.starts_with("redshift"); });
  return drawn;
}

/// "R² = 0.71±0.01" as the run's tables have it; "" where they do not.
std::string quality_of(const RunResults& run, const Prediction& one) {
  for (const Report& report : run.reports) {
    for (const Measurement& line : report.rows) {
      const bool same_method = line.method == one.method || line.method == one.label + " " + one.method;
      if (!same_method || line.modality != one.modality || line.representation != one.representation) continue;
      if (line.method == one.method && report.title.find(one.label) == std::string::npos) continue;
      for (const Metric& metric : line.values) {
        if (metric.name == "R²") return "R² = " + evaluate::metric_text(metric);
      }
    }
  }
  return "";
}

struct Axis {
  double low = 0.0, high = 1.0;
};

/// Of nearly all values: the quantiles 0.005 and 0.995 of both, with a margin.
Axis axis_of(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> all;
  for (const auto* values : {&a, &b}) {
    std::ranges::copy_if(*values, std::back_inserter(all), [](double value) { return std::isfinite(value); });
  }
  if (all.empty()) return {};
  std::ranges::sort(all);
  const double low = probe::quantile(all, 0.005), high = probe::quantile(all, 0.995);
  const double margin = high > low ? 0.05 * (high - low) : 0.5;
  return {low - margin, high + margin};
}

/// Lines of gnuplot for points, or for numbers of objects in squares.
struct Cloud {
  std::string lines;
  bool is_density = false;
  int64_t outside = 0;
};

Cloud cloud_of(const std::vector<double>& x, const std::vector<double>& y, const Axis& axis) {
  Cloud cloud{.lines = {}, .is_density = std::ssize(x) > most_drawn};
  const double side = (axis.high - axis.low) / static_cast<double>(density_cells);
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto is_inside = [&](double value) { return value >= axis.low && value < axis.high; };
    if (!is_inside(x[i]) || !is_inside(y[i])) {
      ++cloud.outside;
    } else if (cloud.is_density) {
      ++counts[{static_cast<int64_t>((x[i] - axis.low) / side), static_cast<int64_t>((y[i] - axis.low) / side)}];
    } else {
      cloud.lines += fmt::format("{:.5g} {:.5g}\n", x[i], y[i]);
    }
  }
  for (const auto& [cell, count] : counts) {
    cloud.lines += fmt::format("{:.6g} {:.6g} {:.6g} {}\n", axis.low + (static_cast<double>(cell.first) + 0.5) * side,
                               axis.low + (static_cast<double>(cell.second) + 0.5) * side, 0.5 * side, count);
  }
  return cloud;
}

/// The least of 1, 2 or 5 times a power of ten that divides a range into at most five.
double step_of(double range) {
  if (!(range > 0.0)) return 1.0;
  const double decade = std::pow(10.0, std::floor(std::log10(range / 5.0)));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (5.0 * times * decade >= range) return times * decade;
  }
  return 10.0 * decade;
}

/// A panel of medians in bins, at these heights of the figure.
std::string residual_panel(const std::string& by, const std::string& residual, const std::vector<Bin>& bins,
                           int64_t block, double bottom, double top) {
  const double range = std::ranges::max(bins, {}, &Bin::high).high - std::ranges::min(bins, {}, &Bin::low).low;
  return fmt::format(
      "set bmargin at screen {}\nset tmargin at screen {}\nset xlabel {}\nset ylabel {}\nset autoscale\nset ytics "
      "{:.6g}\n"
      "plot 0 with lines linecolor rgb '#888888' dashtype 3, data index {} using 1:4:5 with filledcurves linetype 1 "
      "fillstyle transparent solid 0.2, '' index {} using 1:2:3 with yerrorbars linetype 1 pointsize 0.7\n",
      bottom, top, gnuplot_text(by), gnuplot_text(residual), step_of(range), block, block);
}

std::string short_number(double value) { return fmt::format("{:.4g}", value); }

Figure figure_of(const RunResults& run, const TestObjects& objects, const StoredPrediction& stored) {
  const Prediction& one = stored.values;
  const bool is_redshift = stored.task.starts_with("redshift");
  const std::vector<double> residuals =
      is_redshift ? probe::redshift_errors(one.predicted, one.truth) : probe::errors(one.predicted, one.truth);
  const auto unit = objects.units.find(one.label);
  const std::string difference = is_redshift ? "Δz / (1 + z)" : "Δ = predicted − true",
                    symbol = is_redshift ? difference : "Δ",
                    residual = is_redshift || unit == objects.units.end()
                                   ? symbol
                                   : fmt::format("{} [{}]", symbol, unit->second);
  Figure figure{
      .name = file_name_of(fmt::format("{} {} {}", stored.task, one.label, one.modality)), .width = 940, .height = 420};
  figure.table = {fmt::format("Residuals of {} from {} in bins", one.label, one.modality),
                  {"by", "from", "to", "n", "median " + residual, "standard error", "16 %", "84 %"},
                  1,
                  {}};
  Blocks blocks;
  const Axis axis = axis_of(one.truth, one.predicted);
  const Cloud cloud = cloud_of(one.truth, one.predicted, axis);
  const std::string range = fmt::format("[{:.6g}:{:.6g}]", axis.low, axis.high);
  figure.script = fmt::format(
      "set multiplot\nset tics font ',11'\nset lmargin at screen 0.1\nset rmargin at screen 0.42\nset bmargin at "
      "screen 0.17\n"
      "set tmargin at screen 0.94\nset xrange {0}\nset yrange {0}\nset xlabel {1}\nset ylabel {2}\n",
      range, gnuplot_text("true " + objects.with_unit(one.label)),
      gnuplot_text("predicted " + objects.with_unit(one.label)));
  if (!cloud.lines.empty()) {
    const int64_t block =
        blocks.add(cloud.is_density ? "true, predicted, half a side, objects" : "true, predicted", cloud.lines);
    figure.script +=
        cloud.is_density
            ? fmt::format(
                  "set logscale cb\nset cblabel 'objects'\nset colorbox user origin 0.43,0.17 size 0.012,0.77\n"
                  "plot data index {} using 1:2:3:3:4 with boxxyerror linecolor palette, x with lines "
                  "linetype 2\nunset colorbox\n",
                  block)
            : fmt::format(
                  "plot data index {} using 1:2 with points pointtype 7 pointsize 0.35 linetype 1, "
                  "x with lines linetype 2\n",
                  block);
  }
  figure.script +=
      fmt::format("set lmargin at screen {}\nset rmargin at screen 0.98\n", cloud.is_density ? 0.60 : 0.54);
  const auto panel = [&](const std::string& label, double bottom, double top) {
    if (label.empty()) return;
    std::vector<double> by;
    for (const int64_t object : one.objects)
      by.push_back(object < 0 ? std::nan("") : objects.labels.at(label)[static_cast<size_t>(object)]);
    std::string lines;
    const std::vector<Bin> bins = binned(by, residuals, residual_bins);
    for (const Bin& bin : bins) {
      lines += fmt::format("{:.6g} {:.6g} {:.6g} {:.6g} {:.6g} {}\n", bin.middle, bin.median, bin.error, bin.low,
                           bin.high, bin.count);
      figure.table.rows.push_back({objects.with_unit(label), short_number(bin.from), short_number(bin.to),
                                   std::to_string(bin.count), short_number(bin.median),
                                   fmt::format("{:.2g}", bin.error), short_number(bin.low), short_number(bin.high)});
    }
    if (lines.empty()) return;
    const int64_t block =
        blocks.add(fmt::format("{}, median residual, its standard error, 16 %, 84 %, objects", label), lines);
    figure.script += residual_panel(objects.with_unit(label), residual, bins, block, bottom, top);
  };
  panel(objects.redshift(), 0.67, 0.94);
  panel(objects.magnitude(), 0.17, 0.44);
  figure.script += "unset multiplot\n";
  figure.data = blocks.text();
  const std::string quality = quality_of(run, one);
  figure.caption = fmt::format(
      "Predicted against true {} of {} test objects from {} ({}, {}){}{}. Right: residuals {} in bins of equal numbers "
      "of objects: medians, and a band from 16 to 84 %.",
      one.label, one.ids.size(), one.modality, one.representation, one.method, quality.empty() ? "" : ": " + quality,
      cloud.outside > 0 ? fmt::format("; {} outside", cloud.outside) : "", difference);
  figure.errors =
      fmt::format("{}Bars are standard errors of medians, √(π/2) σ/√n, where σ is half the height of the band.",
                  quality.empty() ? ""
                                  : "The error of R² is over test objects, by the bootstrap, and over random starts of "
                                    "probes that have one. ");
  figure.alt = fmt::format("Predicted against true {} of {} objects{}, and residuals by redshift and magnitude.",
                           one.label, one.ids.size(), quality.empty() ? "" : ", with " + quality);
  return figure;
}

}  // namespace

std::vector<Figure> prediction_figures(const RunResults& run, const TestObjects& objects,
                                       const std::vector<StoredPrediction>& predictions) {
  std::vector<Figure> figures;
  for (const StoredPrediction* one : drawn_of(predictions)) figures.push_back(figure_of(run, objects, *one));
  return with_data(std::move(figures));
}

}  // namespace astroclip::report
