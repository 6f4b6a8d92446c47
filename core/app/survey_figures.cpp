#include "app/survey_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "app/published_relations.h"
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

/// A relation as a function of a figure's abscissa.
struct Curve {
  std::string title;
  std::function<double(double x)> at;
};

struct SurveyFigure {
  std::string name, title, x, y;
  std::vector<BinPoint> points;
  std::vector<SurveyRelation> relations;
  std::string shown = "median, bars from 16 to 84 %";  ///< what points and bars are

  SurveyFigure& beside(const std::vector<Curve>& curves) {
    for (const Curve& curve : curves) {
      SurveyRelation relation{curve.title, {}};
      for (const BinPoint& point : points) relation.values.push_back(curve.at(point.x));
      relations.push_back(relation);
    }
    return *this;
  }
};

Bins bins_of(double low, double high, double step) {
  Bins bins;
  for (; low < high - 0.5 * step; low += step) bins.push_back({low, low + step});
  return bins;
}
const std::string mass_axis = "stellar mass, log10 M☉";
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

double distance_modulus(double redshift) {
  return 5.0 * std::log10(comoving_distance(redshift) * (1.0 + redshift)) + 25.0;
}

/// log10 of the stellar mass, M☉, above which every galaxy at a redshift is brighter than r = 19.5: the faintest have 4
/// solar masses per solar luminosity (absolute magnitude 4.65) and lose 1.2 z magnitudes to redshift.
double complete_mass(double redshift) {
  return 0.4 * (4.65 - (19.5 - distance_modulus(redshift) - 1.2 * redshift)) + std::log10(4.0);
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

/// Of a volume-limited sample, up to the redshift at which the survey has every galaxy of a mass: the mass function,
/// and the share that is quenched.
std::vector<SurveyFigure> figures_of_volumes(const SurveyTable& t) {
  SurveyFigure numbers{"mass_function",
                       "volume-limited sample, normalised to the published sum",
                       mass_axis,
                       "galaxies, log10 of the number per Mpc³ and dex",
                       {},
                       {}};
  SurveyFigure quenched{"quenched_share", "volume-limited sample", mass_axis, "share of quenched galaxies", {}, {}};
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
    sum += count, published += volume * published::mass_function(x);
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
  numbers.beside({{"Baldry et al. (2012)", [](double x) { return std::log10(published::mass_function(x)); }}});
  quenched.beside({{"as drawn: 1 / (1 + exp(-(log M - 10.65) / 0.45)), a setting",
                    [](double x) { return 1.0 / (1.0 + std::exp(-(x - 10.65) / 0.45)); }}});
  return {numbers, quenched};
}

Value label(const SurveyTable& t, const std::string& name) {
  return [&t, name](size_t g) { return t[name][g]; };
}

/// Galaxies that a figure shows, and their name in its title.
struct Shown {
  std::string title;
  std::function<bool(size_t galaxy)> has;
};
Shown all_galaxies() {
  return {"all galaxies", [](size_t) { return true; }};
}
Shown star_forming(const SurveyTable& t) {
  return {"star-forming galaxies", [&t](size_t g) { return t["quenched"][g] == 0.0; }};
}
Shown quenched(const SurveyTable& t) {
  return {"quenched galaxies", [&t](size_t g) { return t["quenched"][g] == 1.0; }};
}

/// Medians of a quantity by stellar mass.
SurveyFigure by_mass(const SurveyTable& t, const std::string& name, const std::string& axis, const Value& value,
                     const Shown& shown) {
  return {name, shown.title, mass_axis, axis, medians(mass_bins(), t.size(), label(t, "log_mass"), value, shown.has),
          {}};
}

/// Of galaxies of r < 17.77, beside those of SDSS (survey.md).
std::vector<SurveyFigure> figures_of_colours(const SurveyTable& t) {
  const auto figure = [&t](const std::string& name, const std::string& axis, const std::string& blue,
                           const std::string& red, const SurveyRelation& expected) {
    return SurveyFigure{
        name,
        "galaxies of r < 17.77",
        "redshift",
        axis,
        medians(
            {{0.03, 0.06}, {0.08, 0.12}, {0.15, 0.20}}, t.size(), label(t, "redshift"),
            [&](size_t g) { return t[blue][g] - t[red][g]; }, [&](size_t g) { return t["mag_r"][g] < 17.77; }),
        {expected}};
  };
  const std::string sdss = "SDSS galaxies, carried to DECam's bands";
  return {figure("colour_gr", "g − r, AB mag", "mag_g", "mag_r", {sdss, {0.66, 0.85, 1.07}, {0.18, 0.15, 0.16}}),
          figure("colour_rz", "r − z, AB mag", "mag_r", "mag_z", {sdss, {0.52, 0.65, 0.72}, {0.17, 0.09, 0.06}})};
}

/// Star formation, metals of stars and gas, dust.
std::vector<SurveyFigure> figures_of_matter(const SurveyTable& t) {
  const Shown complete = {"volume-limited sample of star-forming galaxies", [&t](size_t g) {
                            return t["quenched"][g] == 0.0 && t["log_mass"][g] > complete_mass(t["redshift"][g]);
                          }};
  const Value present_rate = [&t](size_t g) { return t["log_sfr"][g] - 2.5 * std::log10(1.0 + t["redshift"][g]); };
  const Value solar_metals = [&t](size_t g) { return t["metallicity"][g] - std::log10(0.02); };
  return {by_mass(t, "main_sequence", "star-formation rate over (1 + z)^2.5, log10 M☉/yr", present_rate, complete)
              .beside({{"Speagle et al. (2014), today", published::main_sequence},
                       {"as drawn: 0.13 + 0.7 (log M - 10.5)", [](double x) { return 0.13 + 0.7 * (x - 10.5); }}}),
          by_mass(t, "metallicity", "metallicity of the stars, log10 of Z over 0.02", solar_metals, all_galaxies())
              .beside({{"Gallazzi et al. (2005)", published::stellar_metallicity}}),
          by_mass(t, "gas_metallicity", "metallicity of the gas, 12 + log10(O/H) by O3N2", label(t, "gas_metallicity"),
                  star_forming(t))
              .beside({{"Kewley & Ellison (2008), as drawn", published::gas_metallicity}}),
          by_mass(t, "dust", "attenuation of starlight at 5500 Å, mag", label(t, "dust"), star_forming(t))
              .beside({{"Garn & Best (2010), of Hα, taken to starlight", published::dust}})};
}

std::vector<SurveyFigure> figures_of_sizes(const SurveyTable& t) {
  const std::string axis = "half-light radius along the major axis in r, log10 kpc";
  const Value size = [&t](size_t g) {
    const double distance = 1e3 * comoving_distance(t["redshift"][g]) / (1.0 + t["redshift"][g]);
    return std::log10(distance * t["half_light_radius"][g] * std::numbers::pi / (180.0 * 3600.0));
  };
  const auto published_sizes = [](bool quenched) {
    return std::vector<Curve>{
        {"van der Wel et al. (2014), z < 0.5", [=](double x) { return published::size(x, quenched); }},
        {"Shen et al. (2003), circular apertures, taken to the major axis",
         [=](double x) { return published::size_of_apertures(x, quenched); }}};
  };
  return {
      by_mass(t, "size_star_forming", axis, size, star_forming(t))
          .beside(published_sizes(false))
          .beside({{"discs as drawn: 0.74 + 0.23 (log M - 10.7)", [](double x) { return 0.74 + 0.23 * (x - 10.7); }}}),
      by_mass(t, "size_quenched", axis, size, quenched(t))
          .beside(published_sizes(true))
          .beside({{"discs and ellipticals as drawn: 0.60 + 0.60 (log M - 10.7), at least 0.20",
                    [](double x) { return std::max(0.20, 0.60 + 0.60 * (x - 10.7)); }}})};
}

/// Velocity dispersions of quenched galaxies by stellar mass and by luminosity.
std::vector<SurveyFigure> figures_of_motions(const SurveyTable& t) {
  const std::string axis = "velocity dispersion of the stars, log10 km/s";
  const Value dispersion = [&t](size_t g) { return std::log10(t["velocity_dispersion"][g]); };
  // The spectrum of old stars takes as much from r as in complete_mass.
  const Value magnitude = [&t](size_t g) {
    const double z = t["redshift"][g];
    return t["mag_r"][g] - distance_modulus(z) - 1.2 * z;
  };
  const auto is_near = [&t](size_t g) { return t["quenched"][g] == 1.0 && t["redshift"][g] < 0.15; };
  SurveyFigure by_magnitude{"faber_jackson",
                            "quenched galaxies of z < 0.15",
                            "absolute magnitude in r, AB mag",
                            axis,
                            medians(bins_of(-23.0, -19.0, 0.5), t.size(), magnitude, dispersion, is_near),
                            {}};
  return {by_mass(t, "velocity_dispersion", axis, dispersion, quenched(t))
              .beside({{"Zahid et al. (2016), as drawn", published::velocity_dispersion}}),
          by_magnitude.beside({{"Hyde & Bernardi (2009)", published::faber_jackson}})};
}

/// Features of the spectra by stellar mass and by star formation.
std::vector<SurveyFigure> figures_of_indices(const SurveyTable& t) {
  const Value specific_rate = [&t](size_t g) { return t["log_sfr"][g] - t["log_mass"][g]; };
  std::vector<SurveyFigure> figures;
  for (const auto& [name, axis] :
       {std::pair{"dn4000", "Dn4000"}, {"hdelta_a", "HδA, Å"}, {"mgb", "Mg b, Å of equivalent width"}}) {
    const std::string stem = std::string(name) + "_";
    figures.push_back(by_mass(t, stem + "star_forming", axis, label(t, name), star_forming(t)));
    figures.push_back(by_mass(t, stem + "quenched", axis, label(t, name), quenched(t)));
    figures.push_back({stem + "rate",
                       all_galaxies().title,
                       "specific star-formation rate, log10 1/yr",
                       axis,
                       medians(bins_of(-13.0, -9.0, 0.25), t.size(), specific_rate, label(t, name), all_galaxies().has),
                       {}});
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
  for (const auto& figures_of : {figures_of_colours, figures_of_matter, figures_of_volumes, figures_of_sizes,
                                 figures_of_motions, figures_of_indices}) {
    for (const SurveyFigure& figure : figures_of(table)) {
      write(figure.name + ".dat", table_of(figure));
      io::write_text(folder + "/" + figure.name + ".gp", heading + script_of(figure, recipe));
      if (has_gnuplot && !report::run_gnuplot(folder, {figure.name + ".gp"})) {
        throw Error(fmt::format("{}/{}.gp: gnuplot failed", folder, figure.name));
      }
    }
  }
  write("redshift.dat", redshift_from_colours(table));
}

}  // namespace astroclip::app
