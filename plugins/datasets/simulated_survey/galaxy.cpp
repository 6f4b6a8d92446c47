#include "galaxy.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "cosmology.h"

namespace astroclip::simulation {

namespace {

constexpr double lowest_mass = 7.0, highest_mass = 12.2, mass_step = 0.02;
constexpr double lowest_redshift = 0.01, highest_redshift = 0.6, redshift_step = 0.002;

/// In r: the survey's limit, and what noise may add.
constexpr double faintest = magnitude_limit + 0.3;

/// Of the mass formed, what survives in stars and remnants of a typical galaxy.
constexpr double typical_survival = 0.62;

/// The least stellar mass of a galaxy of magnitude `faintest`: a young one of 0.15 solar masses per solar luminosity
/// (absolute magnitude of the Sun 4.65; Willmer 2018).
double least_mass(double redshift) {
  const double modulus = 5.0 * std::log10(luminosity_distance_mpc(redshift)) + 25.0;
  return std::clamp(0.4 * (4.65 - (faintest - modulus)) + std::log10(0.15), lowest_mass, highest_mass - mass_step);
}

double interpolate(const std::vector<double>& table, double place) {
  const auto below = std::min(static_cast<size_t>(place), table.size() - 2);
  return table[below] + (place - static_cast<double>(below)) * (table[below + 1] - table[below]);
}

/// Numbers of galaxies: by mass, summed from the highest downwards; by redshift, summed upwards, of those bright
/// enough.
struct Numbers {
  std::vector<double> above_mass, below_redshift;

  Numbers() {
    const auto masses = std::lround((highest_mass - lowest_mass) / mass_step);
    above_mass.resize(static_cast<size_t>(masses) + 1);
    for (size_t i = above_mass.size() - 1; i-- > 0;) {
      above_mass[i] =
          above_mass[i + 1] + mass_step * mass_function(lowest_mass + mass_step * (static_cast<double>(i) + 0.5));
    }
    below_redshift = {0.0};
    for (double z = lowest_redshift + 0.5 * redshift_step; z < highest_redshift; z += redshift_step) {
      const double density = comoving_volume_density(z) * more_massive(least_mass(z));
      below_redshift.push_back(below_redshift.back() + redshift_step * density);
    }
  }
  double more_massive(double log_mass) const { return interpolate(above_mass, (log_mass - lowest_mass) / mass_step); }

  double draw_redshift(Rng& rng) const {
    const double below = rng.uniform() * below_redshift.back();
    const auto above = std::ranges::upper_bound(below_redshift, below) - below_redshift.begin();
    return lowest_redshift + redshift_step * (static_cast<double>(above - 1) + rng.uniform());
  }
  /// A mass above `least`.
  double draw_mass(double least, Rng& rng) const {
    const double above = rng.uniform() * more_massive(least);
    const auto after = std::ranges::lower_bound(above_mass, above, std::greater<>()) - above_mass.begin();
    return std::max(least, lowest_mass + mass_step * (static_cast<double>(after) - rng.uniform()));
  }
};

/// Old stars of a short history, and a little star formation (calibration on colours: survey.md).
void draw_quenched(Galaxy& galaxy, double log_mass, Rng& rng) {
  const double now = cosmic_age_gyr(galaxy.redshift), above = log_mass - 10.7;
  const double formed_at = std::clamp(2.5 - 1.2 * (log_mass - 10.8) + 0.85 * rng.normal(), 1.0, now - 2.5);
  History& history = galaxy.history;
  history.decay = 1.0 / 0.8;
  history.start_gyr = std::min(now - formed_at + 1.6, now - 0.2);
  const double log_rate = main_sequence(log_mass, galaxy.redshift) - 1.4 + 0.35 * rng.normal();
  history.recent_share = std::min(0.3, std::pow(10.0, log_rate) * 1e9 / history.formed);
  galaxy.log_metallicity = std::clamp(-0.08 + 0.26 * above + 0.10 * rng.normal(), -1.5, 0.37);
  galaxy.dust = std::abs(0.10 + 0.085 * rng.normal());
  galaxy.bulge_share = std::clamp(0.65 + 0.2 * rng.normal(), 0.0, 0.95);
  galaxy.disc.axis_ratio = rng.uniform(0.55, 1.0);
}

/// Stars that form along the main sequence, now and then in a burst (calibration on colours: survey.md).
void draw_star_forming(Galaxy& galaxy, double log_mass, Rng& rng) {
  const double now = cosmic_age_gyr(galaxy.redshift), excess = rng.normal();
  History& history = galaxy.history;
  history.start_gyr = std::clamp(now - std::abs(2.2 + 1.0 * rng.normal()), 2.0, now - 0.5);
  const double log_rate = main_sequence(log_mass, galaxy.redshift) + 0.30 * excess;
  history.decay = decay_for_rate(std::pow(10.0, log_rate) * 1e9 / history.formed, history.start_gyr);
  if (rng.uniform() < 0.15) {
    history.burst_share = std::min(0.2, -0.01 * std::log1p(-rng.uniform()));
    history.burst_gyr = std::pow(10.0, rng.uniform(std::log10(0.05), 0.0));
  }
  galaxy.log_metallicity =
      std::clamp(std::min(-0.28 + 0.39 * (log_mass - 10.0), 0.10) + 0.15 * rng.normal(), -1.5, 0.37);
  galaxy.disc.axis_ratio = rng.uniform(0.2, 1.0);
  // A disc on edge is seen through 0.54 mag more of its dust than from above (Masters et al. 2010: 0.6 in g, 0.5 in r),
  // at an axis ratio of 0.1.
  galaxy.dust = std::abs(std::max(0.05, 0.31 + 0.45 * (log_mass - 10.0)) + 0.1 * excess + 0.245 * rng.normal()) -
                0.54 * std::log10(galaxy.disc.axis_ratio);
  galaxy.bulge_share = std::clamp(0.25 + 0.2 * rng.normal(), 0.0, 0.95);
}

void draw_shape(Galaxy& galaxy, double log_mass, Rng& rng) {
  // A setting: half of the quenched galaxies are ellipticals, more of the massive ones.
  galaxy.elliptical = rng.uniform() < (galaxy.quenched ? std::clamp(0.5 + 0.4 * (log_mass - 10.8), 0.1, 0.9) : 0.0);
  const double scatter = (galaxy.quenched ? 0.13 : 0.17) * rng.normal();
  const double radius = std::max(0.4, median_radius_kpc(log_mass, galaxy.quenched) * std::pow(10.0, scatter));
  Profile& disc = galaxy.disc;
  disc.radius = std::clamp(radius / kpc_per_arcsec(galaxy.redshift), 0.2, 12.0);
  disc.position_angle = rng.uniform(0.0, std::numbers::pi);
  if (galaxy.elliptical) {
    galaxy.bulge_share = std::max(0.85, galaxy.bulge_share);
    galaxy.bulge = disc;
    galaxy.bulge.sersic_index = 4.0;
    return;
  }
  galaxy.structure = draw_structure(galaxy.quenched, galaxy.bulge_share, rng);
  // Bulges are small, and rounder than the disc around them; those of ellipticals are most of the galaxy.
  galaxy.bulge = {.sersic_index = 4.0,
                  .radius = std::max(0.1, disc.radius * (0.2 + 0.5 * galaxy.bulge_share)),
                  .axis_ratio = 0.5 + 0.5 * disc.axis_ratio,
                  .position_angle = disc.position_angle};
}

void draw_gas(Galaxy& galaxy, double log_mass, Rng& rng) {
  galaxy.velocity_sigma = velocity_dispersion(log_mass) * std::pow(10.0, 0.08 * rng.normal());
  galaxy.gas.velocity_sigma = 0.7 * galaxy.velocity_sigma;
  galaxy.gas.oxygen = gas_metallicity(log_mass) + 0.1 * rng.normal();
  // Narrow-line nuclei, hardly any below 10^10 solar masses (Kauffmann et al. 2003, fig. 5), and their luminosities.
  const double luminosity = 39.8 + 0.6 * rng.normal();
  const bool active = rng.uniform() < 0.35 / (1.0 + std::exp(-(log_mass - 10.5) / 0.2));
  if (active) galaxy.gas.log_nucleus = luminosity;
}

}  // namespace

double mass_function(double log_mass) {
  const double x = std::pow(10.0, log_mass - 10.66);
  return std::numbers::ln10 * std::exp(-x) * (3.96e-3 * std::pow(x, 1.0 - 0.35) + 0.79e-3 * std::pow(x, 1.0 - 1.47));
}

double quenched_share(double log_mass) { return 1.0 / (1.0 + std::exp(-(log_mass - 10.65) / 0.45)); }

double main_sequence(double log_mass, double redshift) {
  return 0.13 + 0.7 * (log_mass - 10.5) + 2.5 * std::log10(1.0 + redshift);
}

double gas_metallicity(double log_mass) {
  const double x = std::clamp(log_mass, 8.5, 11.0);  // where the relation was measured
  return 32.1488 + x * (-8.51258 + x * (0.976384 - 0.0359763 * x));
}

double velocity_dispersion(double log_mass) {
  const double above = log_mass - 10.26;
  return 118.3 * std::pow(10.0, (above < 0.0 ? 0.403 : 0.293) * above);
}

double median_radius_kpc(double log_mass, bool quenched) {
  // Ellipticals of low mass are not as small as the relation of the massive ones would have them.
  const double log_radius =
      quenched ? std::max(0.20, 0.60 + 0.60 * (log_mass - 10.7)) : 0.74 + 0.23 * (log_mass - 10.7);
  return std::pow(10.0, log_radius);
}

Galaxy draw_galaxy(Rng& rng) {
  static const Numbers numbers;
  Galaxy galaxy;
  galaxy.redshift = numbers.draw_redshift(rng);
  const double log_mass = numbers.draw_mass(least_mass(galaxy.redshift), rng);
  galaxy.history.formed = std::pow(10.0, log_mass) / typical_survival;
  galaxy.quenched = rng.uniform() < quenched_share(log_mass);
  galaxy.quenched ? draw_quenched(galaxy, log_mass, rng) : draw_star_forming(galaxy, log_mass, rng);
  draw_shape(galaxy, log_mass, rng);
  draw_gas(galaxy, log_mass, rng);
  return galaxy;
}

}  // namespace astroclip::simulation
