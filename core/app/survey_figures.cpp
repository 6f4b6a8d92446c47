#include "app/survey_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "data/fields.h"
#include "io/output/durable_file.h"
#include "probe/metrics.h"
#include "probe/probes.h"
#include "report/gnuplot.h"

namespace astroclip::app {

namespace {

/// Labels of all galaxies of a survey, those for training first.
class SurveyTable {
 public:
  explicit SurveyTable(const Dataset& survey) : survey_(survey) {}
  const std::vector<double>& operator[](const std::string& label) const {
    auto [found, is_new] = columns_.try_emplace(label);
    if (!is_new) return found->second;
    for (const Split split : {Split::train, Split::test}) {
      std::vector<int64_t> rows(static_cast<size_t>(survey_.size(split)));
      std::iota(rows.begin(), rows.end(), 0);
      const auto values = data::read_label(survey_, split, rows, label);
      found->second.insert(found->second.end(), values.begin(), values.end());
    }
    return found->second;
  }
  size_t size() const { return (*this)["redshift"].size(); }

 private:
  const Dataset& survey_;
  mutable std::map<std::string, std::vector<double>> columns_;
};

using Value = std::function<double(size_t galaxy)>;

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::nan("");
  std::ranges::sort(values);
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

struct Figure {
  std::string name, title, x, y;
  std::string published;  ///< whose relation it is; empty: there is none
  std::vector<std::array<double, 2>> bins;
  Value of_x, of_y;
  /// Of a galaxy: whether it belongs to the figure.
  std::function<bool(size_t)> in;
  /// The published value at the middle of a bin, or of the bin of that number; NaN for none.
  std::function<double(size_t bin, double x)> relation;
};

std::string table_of(const Figure& figure, size_t galaxies) {
  std::string text = fmt::format("# {}: {}\n# {}  n  p16  median  p84  published\n", figure.y, figure.title, figure.x);
  for (size_t b = 0; b < figure.bins.size(); ++b) {
    const auto [low, high] = figure.bins[b];
    std::vector<double> values;
    for (size_t g = 0; g < galaxies; ++g) {
      if (figure.of_x(g) >= low && figure.of_x(g) < high && figure.in(g)) values.push_back(figure.of_y(g));
    }
    const double middle = 0.5 * (low + high);
    text += fmt::format("{:.3f} {} {:.3f} {:.3f} {:.3f} {:.3f}\n", middle, values.size(), quantile(values, 0.16),
                        quantile(values, 0.5), quantile(values, 0.84), figure.relation(b, middle));
  }
  return text;
}

std::string script_of(const Figure& figure, const std::string& recipe) {
  std::string text = fmt::format(
      "set terminal pngcairo size 800,640\nset output '{0}.png'\nset tmargin 5\nset title '{1}'\n"
      "set label '{2}' at screen 0.5, screen 0.97 center noenhanced font ',8'\n"
      "set xlabel '{3}' noenhanced\nset ylabel '{4}' noenhanced\nset key below\n"
      "plot '{0}.dat' using 1:4:3:5 with yerrorbars pointtype 7 title 'simulated, median and 16-84 %'",
      figure.name, figure.title, recipe, figure.x, figure.y);
  if (!figure.published.empty()) {
    text += fmt::format(", '' using 1:6 with linespoints linewidth 2 title '{}'", figure.published);
  }
  return text + "\n";
}

std::vector<std::array<double, 2>> mass_bins() {
  std::vector<std::array<double, 2>> bins;
  for (double low = 9.0; low < 11.5; low += 0.25) bins.push_back({low, low + 0.25});
  return bins;
}

/// Medians of Gallazzi et al. (2005), table 2: log10 of the stellar mass and of Z over 0.02.
constexpr std::pair<double, double> gallazzi[] = {{8.91, -0.60},  {9.11, -0.61}, {9.31, -0.65},  {9.51, -0.61},
                                                  {9.72, -0.52},  {9.91, -0.41}, {10.11, -0.23}, {10.31, -0.11},
                                                  {10.51, -0.01}, {10.72, 0.04}, {10.91, 0.07},  {11.11, 0.10},
                                                  {11.31, 0.12},  {11.51, 0.13}, {11.72, 0.14},  {11.91, 0.15}};

double gallazzi_at(double log_mass) {
  for (size_t i = 1; i < std::size(gallazzi); ++i) {
    const auto [low, at_low] = gallazzi[i - 1];
    const auto [high, at_high] = gallazzi[i];
    if (log_mass < high) return at_low + (at_high - at_low) * (log_mass - low) / (high - low);
  }
  return gallazzi[std::size(gallazzi) - 1].second;
}

std::vector<Figure> figures_of(const SurveyTable& t) {
  const auto label = [&t](const std::string& name) { return Value([&t, name](size_t g) { return t[name][g]; }); };
  const auto colour = [&t](const std::string& blue, const std::string& red) {
    return Value([&t, blue, red](size_t g) { return t[blue][g] - t[red][g]; });
  };
  const auto bright = [&t](size_t g) { return t["mag_r"][g] < 17.77; };
  const auto every = [](size_t) { return true; };
  const auto is_blue = [&t](size_t g) { return t["quenched"][g] == 0.0; };
  const auto is_red = [&t](size_t g) { return t["quenched"][g] == 1.0; };
  const auto none = [](size_t, double) { return std::nan(""); };
  const std::vector<std::array<double, 2>> slices = {{0.03, 0.06}, {0.08, 0.12}, {0.15, 0.20}};
  const auto at = [](std::vector<double> values) {
    return [values = std::move(values)](size_t bin, double) { return values[bin]; };
  };
  const std::string sdss = "colours of SDSS galaxies of r < 17.77, carried to DECam";
  std::vector<Figure> figures = {
      {"colour_gr", "colour by redshift, r < 17.77", "redshift", "g - r", sdss, slices, label("redshift"),
       colour("mag_g", "mag_r"), bright, at({0.66, 0.85, 1.07})},
      {"colour_rz", "colour by redshift, r < 17.77", "redshift", "r - z", sdss, slices, label("redshift"),
       colour("mag_r", "mag_z"), bright, at({0.52, 0.65, 0.72})},
      {"main_sequence", "star-forming galaxies, rate less evolution to z = 0", "log10 of the stellar mass",
       "log10 of the rate - 2.5 log10(1+z)", "0.13 + 0.7 (log M - 10.5)", mass_bins(), label("log_mass"),
       [&t](size_t g) { return t["log_sfr"][g] - 2.5 * std::log10(1.0 + t["redshift"][g]); }, is_blue,
       [](size_t, double x) { return 0.13 + 0.7 * (x - 10.5); }},
      {"metallicity", "metallicity of the stars", "log10 of the stellar mass", "log10 of Z over 0.02",
       "Gallazzi et al. (2005)", mass_bins(), label("log_mass"),
       [&t](size_t g) { return t["metallicity"][g] - std::log10(0.02); }, every,
       [](size_t, double x) { return gallazzi_at(x); }},
  };
  std::vector<std::array<double, 2>> rate_bins;
  for (double low = -13.0; low < -8.9; low += 0.25) rate_bins.push_back({low, low + 0.25});
  const Value specific_rate = [&t](size_t g) { return t["log_sfr"][g] - t["log_mass"][g]; };
  for (const auto& [name, y] : {std::pair{"dn4000", "Dn4000"}, {"hdelta_a", "HdA"}, {"mgb", "Mg b"}}) {
    const auto add = [&](const char* kind, const char* title, const char* x, const auto& bins, const Value& of_x,
                         const auto& in) {
      figures.push_back({fmt::format("{}_{}", name, kind), title, x, y, "", bins, of_x, label(name), in, none});
    };
    const char* mass = "log10 of the stellar mass";
    add("star_forming", "star-forming galaxies", mass, mass_bins(), label("log_mass"), is_blue);
    add("quenched", "quenched galaxies", mass, mass_bins(), label("log_mass"), is_red);
    add("rate", "all galaxies", "log10 of the star-formation rate over the stellar mass", rate_bins, specific_rate,
        every);
  }
  return figures;
}

/// r, g − r and r − z, each standardised, of four of five galaxies for training and of the others.
std::array<probe::Sample, 2> colour_samples(const SurveyTable& t) {
  const size_t galaxies = t.size(), training = galaxies * 4 / 5;
  std::array<std::vector<double>, 3> columns;
  for (size_t g = 0; g < galaxies; ++g) {
    columns[0].push_back(t["mag_r"][g]);
    columns[1].push_back(t["mag_g"][g] - t["mag_r"][g]);
    columns[2].push_back(t["mag_r"][g] - t["mag_z"][g]);
  }
  for (auto& column : columns) {
    const double width = 0.5 * (quantile(column, 0.84) - quantile(column, 0.16)), middle = quantile(column, 0.5);
    for (double& value : column) value = (value - middle) / width;
  }
  std::array<probe::Sample, 2> samples;
  for (size_t g = 0; g < galaxies; ++g) {
    probe::Sample& to = samples[g < training ? 0 : 1];
    to.features.rows += 1, to.features.columns = 3;
    for (const auto& column : columns) to.features.values.push_back(static_cast<float>(column[g]));
    to.labels.push_back(t["redshift"][g]);
    to.ids.push_back(static_cast<int64_t>(g));
  }
  return samples;
}

std::string redshift_from_colours(const SurveyTable& t) {
  const auto [train, test] = colour_samples(t);
  std::string text = "# redshift from r, g - r, r - z of four of five galaxies: R2, sigma_NMAD\n";
  const auto line = [&](const std::string& name, const std::vector<double>& predicted) {
    text += fmt::format("{} {:.3f} {:.4f}\n", name, probe::r_squared(predicted, test.labels),
                        probe::nmad(probe::redshift_errors(predicted, test.labels)));
  };
  line("k-NN(64)", probe::fit_knn(train, std::min<int64_t>(64, train.features.rows))->predict(test.features));
  // The ceiling of what these noisy observables hold: a smooth regression on all of the sample.
  line("network(64,64)",
       probe::fit_mlp(train, {.hidden = {64, 64}, .epochs = 60, .dropout = 0.0}, "colours", 1)->predict(test.features));
  return text;
}

}  // namespace

void write_survey_figures(const Dataset& survey, const std::string& recipe, const std::string& folder) {
  const SurveyTable table(survey);
  const bool has_gnuplot = report::has_gnuplot();
  io::make_folder(folder);
  const std::string heading = fmt::format("# simulated: {}\n", recipe);
  const auto write = [&](const std::string& name, const std::string& text) {
    io::write_text(folder + "/" + name, heading + text);
    if (!has_gnuplot) fmt::print("{}\n", text);
  };
  for (const Figure& figure : figures_of(table)) {
    write(figure.name + ".dat", table_of(figure, table.size()));
    io::write_text(folder + "/" + figure.name + ".gp", heading + script_of(figure, recipe));
    if (has_gnuplot && !report::run_gnuplot(folder, {figure.name + ".gp"})) {
      throw Error(fmt::format("{}/{}.gp: gnuplot failed", folder, figure.name));
    }
  }
  write("redshift.dat", redshift_from_colours(table));
}

}  // namespace astroclip::app
