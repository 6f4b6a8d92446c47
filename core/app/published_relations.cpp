#include "app/published_relations.h"

#include <cmath>
#include <iterator>
#include <utility>

namespace astroclip::app::published {

namespace {

/// log10 of the stellar mass and of Z over 0.02.
constexpr std::pair<double, double> gallazzi[] = {{8.91, -0.60},  {9.11, -0.61}, {9.31, -0.65},  {9.51, -0.61},
                                                  {9.72, -0.52},  {9.91, -0.41}, {10.11, -0.23}, {10.31, -0.11},
                                                  {10.51, -0.01}, {10.72, 0.04}, {10.91, 0.07},  {11.11, 0.10},
                                                  {11.31, 0.12},  {11.51, 0.13}, {11.72, 0.14},  {11.91, 0.15}};

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

double dust(double log_mass) {
  const double x = log_mass - 10.0;
  return 0.44 * 4.05 / 3.33 * (0.91 + x * (0.77 + x * (0.11 - x * 0.09)));
}

}  // namespace astroclip::app::published
