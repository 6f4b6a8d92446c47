#include "app/survey_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

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
using Bins = std::vector<std::array<double, 2>>;

/// What the galaxies of a bin give: a value with its lower and upper ends.
struct BinPoint {
  double x;
  size_t galaxies;
  double low, middle, high;
};

/// A published relation at the points of a figure, or the one that galaxies are drawn from; NaN for none.
struct SurveyRelation {
  std::string title;
  std::vector<double> values, half_widths = {};
};

struct SurveyFigure {
  std::string name, title, x, y;
  std::vector<BinPoint> points;
  std::vector<SurveyRelation> relations;
  std::string shown = "median, bars from 16 to 84 %";  ///< what points and bars are
};

Bins bins_of(double low, double high, double step) {
  Bins bins;
  for (; low < high - 0.5 * step; low += step) bins.push_back({low, low + step});
  return bins;
}
Bins mass_bins() { return bins_of(9.0, 11.5, 0.25); }

std::vector<BinPoint> medians(const Bins& bins, size_t galaxies, const Value& of_x, const Value& of_y,
                              const std::function<bool(size_t)>& in) {
  std::vector<BinPoint> points;
  for (const auto& [low, high] : bins) {
    std::vector<double> values;
    for (size_t g = 0; g < galaxies; ++g) {
      if (of_x(g) >= low && of_x(g) < high && in(g)) values.push_back(of_y(g));
    }
    std::ranges::sort(values);
    points.push_back({0.5 * (low + high), values.size(), probe::quantile(values, 0.16), probe::quantile(values, 0.5),
                      probe::quantile(values, 0.84)});
  }
  return points;
}

SurveyRelation relation(const std::string& title, const std::vector<BinPoint>& at,
                        const std::function<double(double)>& of_x) {
  SurveyRelation made{title, {}};
  for (const BinPoint& point : at) made.values.push_back(of_x(point.x));
  return made;
}

std::string table_of(const SurveyFigure& figure) {
  std::string text = fmt::format("# {}: {}\n# {}  galaxies  low  middle  high", figure.y, figure.title, figure.x);
  for (const SurveyRelation& one : figure.relations) {
    text += fmt::format("  '{}'", one.title);
    if (!one.half_widths.empty()) text += "  half-width";
  }
  text += fmt::format("\n# {}\n", figure.shown);
  for (size_t i = 0; i < figure.points.size(); ++i) {
    const auto& [x, galaxies, low, middle, high] = figure.points[i];
    text += fmt::format("{:.3f} {} {:.3f} {:.3f} {:.3f}", x, galaxies, low, middle, high);
    for (const SurveyRelation& one : figure.relations) {
      text += fmt::format(" {:.3f}", one.values[i]);
      if (!one.half_widths.empty()) text += fmt::format(" {:.3f}", one.half_widths[i]);
    }
    text += "\n";
  }
  return text;
}

std::string script_of(const SurveyFigure& figure, const std::string& recipe) {
  // Fewer galaxies make no median.
  constexpr int least_galaxies = 5;
  std::string text = fmt::format(
      "set encoding utf8\nset terminal pngcairo noenhanced size 800,640\nset output '{0}.png'\nset tmargin 5\n"
      "set title {1}\nset label {2} at screen 0.5, screen 0.97 center font ',8'\nset xlabel {3}\nset ylabel {4}\n"
      "set bmargin {7}\nset key at screen 0.5, screen 0.02 center bottom\nset grid linecolor '#dddddd'\nset offsets "
      "graph 0.03, graph 0.03, graph 0.05, graph 0.05\n"
      "plot '{0}.dat' using ($2 >= {5} ? $1 : 1/0):4:3:5 with yerrorbars pointtype 7 title {6}",
      figure.name, report::gnuplot_text(figure.title), report::gnuplot_text(recipe), report::gnuplot_text(figure.x),
      report::gnuplot_text(figure.y), least_galaxies, report::gnuplot_text("simulated, " + figure.shown),
      5 + figure.relations.size());
  int column = 6;
  for (const SurveyRelation& one : figure.relations) {
    const std::string title = report::gnuplot_text(one.title);
    if (one.half_widths.empty()) {
      text += fmt::format(", \\\n  '' using 1:{} with lines linewidth 2 title {}", column++, title);
    } else {
      // Beside the simulated bars.
      text += fmt::format(", \\\n  '' using ($1 + 0.003):{}:{} with yerrorbars pointtype 6 linewidth 2 title {}",
                          column, column + 1, title);
      column += 2;
    }
  }
  return text + "\n";
}

/// Mpc, in the flat universe of the survey: H0 = 70 km/s/Mpc, Ωm = 0.3.
double comoving_distance(double redshift) {
  constexpr int steps = 50;
  double sum = 0.0;
  for (int i = 0; i < steps; ++i) {
    sum += 1.0 / std::sqrt(0.3 * std::pow(1.0 + redshift * (i + 0.5) / steps, 3) + 0.7);
  }
  return 299792.458 / 70.0 * redshift / steps * sum;
}

/// log10 of the stellar mass, M☉, above which every galaxy at a redshift is brighter than r = 19.5: the faintest have 4
/// solar masses per solar luminosity (absolute magnitude 4.65) and lose 1.2 z magnitudes to redshift.
double complete_mass(double redshift) {
  const double modulus = 5.0 * std::log10(comoving_distance(redshift) * (1.0 + redshift)) + 25.0;
  return 0.4 * (4.65 - (19.5 - modulus - 1.2 * redshift)) + std::log10(4.0);
}

/// The redshift up to which the survey has every galaxy of a mass.
double complete_redshift(double log_mass) {
  double low = 0.01, high = 0.6;  // of the survey
  while (high - low > 1e-4) {
    const double middle = 0.5 * (low + high);
    (complete_mass(middle) < log_mass ? low : high) = middle;
  }
  return low;
}

/// Galaxies per Mpc³ and dex of stellar mass (Baldry et al. 2012: a double Schechter function).
double published_mass_function(double log_mass) {
  const double x = std::pow(10.0, log_mass - 10.66);
  return std::log(10.0) * std::exp(-x) * (3.96e-3 * std::pow(x, 1.0 - 0.35) + 0.79e-3 * std::pow(x, 1.0 - 1.47));
}

/// Of a volume-limited sample, up to the redshift at which the survey has every galaxy of a mass: the mass function,
/// and the share that is quenched.
std::array<SurveyFigure, 2> figures_of_volumes(const SurveyTable& t) {
  SurveyFigure numbers{"mass_function",
                       "volume-limited sample, normalised to the published sum",
                       "stellar mass, log10 M☉",
                       "galaxies, log10 of the number per Mpc³ and dex",
                       {},
                       {}};
  SurveyFigure quenched{
      "quenched_share", "volume-limited sample", "stellar mass, log10 M☉", "share of quenched galaxies", {}, {}};
  numbers.shown = quenched.shown = "bars of √N";
  double sum = 0.0, published = 0.0;
  std::vector<double> densities;
  for (const auto& [low, high] : mass_bins()) {
    const double limit = complete_redshift(low), volume = std::pow(comoving_distance(limit), 3);
    size_t all = 0, red = 0;
    for (size_t g = 0; g < t.size(); ++g) {
      if (t["log_mass"][g] < low || t["log_mass"][g] >= high || t["redshift"][g] >= limit) continue;
      ++all, red += t["quenched"][g] == 1.0 ? 1 : 0;
    }
    const double x = 0.5 * (low + high), count = static_cast<double>(all), share = static_cast<double>(red) / count;
    sum += count, published += volume * published_mass_function(x);
    densities.push_back(count / volume);
    const double error = std::sqrt(share * (1.0 - share) / count);
    quenched.points.push_back({x, all, share - error, share, share + error});
    numbers.points.push_back({x, all, 1.0 - 1.0 / std::sqrt(count), 1.0, 1.0 + 1.0 / std::sqrt(count)});
  }
  for (size_t i = 0; i < densities.size(); ++i) {
    const double density = densities[i] * published / sum;
    for (double* value : {&numbers.points[i].low, &numbers.points[i].middle, &numbers.points[i].high})
      *value = std::log10(*value * density);
  }
  numbers.relations = {relation("Baldry et al. (2012)", numbers.points,
                                [](double x) { return std::log10(published_mass_function(x)); })};
  quenched.relations = {relation("as drawn: 1 / (1 + exp(-(log M - 10.65) / 0.45)), a setting", quenched.points,
                                 [](double x) { return 1.0 / (1.0 + std::exp(-(x - 10.65) / 0.45)); })};
  return {numbers, quenched};
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

/// The median attenuation of Hα by stellar mass (Garn & Best 2010, eq. 5), taken to that of starlight at 5500 Å by
/// Calzetti's law (k = 3.33 and 4.05) and 0.44.
double published_dust(double log_mass) {
  const double x = log_mass - 10.0;
  return 0.44 * 4.05 / 3.33 * (0.91 + x * (0.77 + x * (0.11 - x * 0.09)));
}

std::vector<SurveyFigure> figures_of(const SurveyTable& t) {
  const auto label = [&t](const std::string& name) { return Value([&t, name](size_t g) { return t[name][g]; }); };
  const auto colour = [&t](const std::string& blue, const std::string& red) {
    return Value([&t, blue, red](size_t g) { return t[blue][g] - t[red][g]; });
  };
  const auto is_bright = [&t](size_t g) { return t["mag_r"][g] < 17.77; };
  const auto every = [](size_t) { return true; };
  const auto is_blue = [&t](size_t g) { return t["quenched"][g] == 0.0; };
  const auto is_red = [&t](size_t g) { return t["quenched"][g] == 1.0; };
  const auto is_blue_and_complete = [&](size_t g) {
    return is_blue(g) && t["log_mass"][g] > complete_mass(t["redshift"][g]);
  };
  const Value present_rate = [&t](size_t g) { return t["log_sfr"][g] - 2.5 * std::log10(1.0 + t["redshift"][g]); };
  const Value solar_metals = [&t](size_t g) { return t["metallicity"][g] - std::log10(0.02); };
  const Bins slices = {{0.03, 0.06}, {0.08, 0.12}, {0.15, 0.20}};
  const std::string mass = "stellar mass, log10 M☉", bright = "galaxies of r < 17.77";
  const std::string sdss = "SDSS galaxies, carried to DECam's bands";
  const auto figure = [&](const std::string& name, const std::string& title, const std::string& x, const std::string& y,
                          const Bins& bins, const Value& of_x, const Value& of_y, const auto& in) {
    return SurveyFigure{name, title, x, y, medians(bins, t.size(), of_x, of_y, in), {}};
  };
  std::vector<SurveyFigure> figures = {
      figure("colour_gr", bright, "redshift", "g − r, AB mag", slices, label("redshift"), colour("mag_g", "mag_r"),
             is_bright),
      figure("colour_rz", bright, "redshift", "r − z, AB mag", slices, label("redshift"), colour("mag_r", "mag_z"),
             is_bright),
      figure("main_sequence", "volume-limited sample of star-forming galaxies", mass,
             "star-formation rate over (1 + z)^2.5, log10 M☉/yr", mass_bins(), label("log_mass"), present_rate,
             is_blue_and_complete),
      figure("metallicity", "all galaxies", mass, "metallicity of the stars, log10 of Z over 0.02", mass_bins(),
             label("log_mass"), solar_metals, every),
      figure("dust", "star-forming galaxies", mass, "attenuation of starlight at 5500 Å, mag", mass_bins(),
             label("log_mass"), label("dust"), is_blue)};
  figures[0].relations.push_back({sdss, {0.66, 0.85, 1.07}, {0.18, 0.15, 0.16}});
  figures[1].relations.push_back({sdss, {0.52, 0.65, 0.72}, {0.17, 0.09, 0.06}});
  figures[2].relations = {// At the age of the universe, 13.5 Gyr.
                          relation("Speagle et al. (2014), today", figures[2].points,
                                   [](double x) { return (0.84 - 0.026 * 13.5) * x - (6.51 - 0.11 * 13.5); }),
                          relation("as drawn: 0.13 + 0.7 (log M - 10.5)", figures[2].points,
                                   [](double x) { return 0.13 + 0.7 * (x - 10.5); })};
  figures[3].relations = {relation("Gallazzi et al. (2005)", figures[3].points, gallazzi_at)};
  figures[4].relations = {relation("Garn & Best (2010), of Hα, taken to starlight", figures[4].points, published_dust)};
  std::ranges::move(figures_of_volumes(t), std::back_inserter(figures));
  const Value specific_rate = [&t](size_t g) { return t["log_sfr"][g] - t["log_mass"][g]; };
  for (const auto& [name, y] :
       {std::pair{"dn4000", "Dn4000"}, {"hdelta_a", "HδA, Å"}, {"mgb", "Mg b, Å of equivalent width"}}) {
    const std::string stem = std::string(name) + "_";
    figures.push_back(figure(stem + "star_forming", "star-forming galaxies", mass, y, mass_bins(), label("log_mass"),
                             label(name), is_blue));
    figures.push_back(
        figure(stem + "quenched", "quenched galaxies", mass, y, mass_bins(), label("log_mass"), label(name), is_red));
    figures.push_back(figure(stem + "rate", "all galaxies", "specific star-formation rate, log10 1/yr", y,
                             bins_of(-13.0, -9.0, 0.25), specific_rate, label(name), every));
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
    std::vector<double> rising = column;
    std::ranges::sort(rising);
    const double width = 0.5 * (probe::quantile(rising, 0.84) - probe::quantile(rising, 0.16));
    const double middle = probe::quantile(rising, 0.5);
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
  const std::string heading = fmt::format("# simulated: {}\n", recipe);
  const auto write = [&](const std::string& name, const std::string& text) {
    io::write_text(folder + "/" + name, heading + text);
    if (!has_gnuplot) fmt::print("{}\n", text);
  };
  for (const SurveyFigure& figure : figures_of(table)) {
    write(figure.name + ".dat", table_of(figure));
    io::write_text(folder + "/" + figure.name + ".gp", heading + script_of(figure, recipe));
    if (has_gnuplot && !report::run_gnuplot(folder, {figure.name + ".gp"})) {
      throw Error(fmt::format("{}/{}.gp: gnuplot failed", folder, figure.name));
    }
  }
  write("redshift.dat", redshift_from_colours(table));
}

}  // namespace astroclip::app
