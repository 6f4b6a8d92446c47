#include "app/published_relations.h"

#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

namespace astroclip::app::published {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// log10 of the stellar mass and of Z over 0.02.
constexpr std::pair<double, double> gallazzi[] = {{8.91, -0.60},  {9.11, -0.61}, {9.31, -0.65},  {9.51, -0.61},
                                                  {9.72, -0.52},  {9.91, -0.41}, {10.11, -0.23}, {10.31, -0.11},
                                                  {10.51, -0.01}, {10.72, 0.04}, {10.91, 0.07},  {11.11, 0.10},
                                                  {11.31, 0.12},  {11.51, 0.13}, {11.72, 0.14},  {11.91, 0.15}};

/// The least masses of the sizes of quenched and of star-forming galaxies.
bool has_size(double log_mass, bool quenched) { return log_mass >= std::log10(quenched ? 2e10 : 3e9); }

}  // namespace

double mass_function(double log_mass) {
  const double x = std::pow(10.0, log_mass - 10.66);
  return std::log(10.0) * std::exp(-x) * (3.96e-3 * std::pow(x, 1.0 - 0.35) + 0.79e-3 * std::pow(x, 1.0 - 1.47));
}

double main_sequence(double log_mass) { return (0.84 - 0.026 * 13.5) * log_mass - (6.51 - 0.11 * 13.5); }

double stellar_metallicity(double log_mass) {
  for (size_t i = 1; i < std::size(gallazzi); ++i) {
    const auto [low, at_low] = gallazzi[i - 1];
    const auto [high, at_high] = gallazzi[i];
    if (log_mass < high) return at_low + (at_high - at_low) * (log_mass - low) / (high - low);
  }
  return gallazzi[std::size(gallazzi) - 1].second;
}

double gas_metallicity(double log_mass) {
  if (log_mass < 8.5 || log_mass > 11.0) return unknown;
  return 32.1488 + log_mass * (-8.51258 + log_mass * (0.976384 - 0.0359763 * log_mass));
}

double dust(double log_mass) {
  const double x = log_mass - 10.0;
  return 0.44 * 4.05 / 3.33 * (0.91 + x * (0.77 + x * (0.11 - x * 0.09)));
}

double size(double log_mass, bool quenched) {
  if (!has_size(log_mass, quenched)) return unknown;
  const double above = log_mass - std::log10(5e10);
  return quenched ? 0.60 + 0.75 * above : 0.86 + 0.25 * above;
}

double size_of_apertures(double log_mass, bool quenched) {
  if (!has_size(log_mass, quenched)) return unknown;
  if (quenched) return std::log10(2.88e-6) + 0.56 * log_mass - 0.5 * std::log10(0.775);
  const double mass = std::pow(10.0, log_mass);
  return std::log10(0.1) + 0.14 * log_mass + (0.39 - 0.14) * std::log10(1.0 + mass / 3.98e10) - 0.5 * std::log10(0.6);
}

double velocity_dispersion(double log_mass) {
  const double above = log_mass - 10.26;
  return std::log10(118.3) + (above < 0.0 ? 0.403 : 0.293) * above;
}

double faber_jackson(double magnitude) { return -2.97 - magnitude * (0.37 + 0.006 * magnitude); }

}  // namespace astroclip::app::published
