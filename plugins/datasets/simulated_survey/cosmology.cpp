#include "cosmology.h"

#include <cmath>
#include <numbers>

namespace astroclip::simulation {

namespace {

constexpr double hubble = 70.0;  // km/s/Mpc
constexpr double matter = 0.3;
constexpr double light_speed = 299792.458;           // km/s
constexpr double hubble_time = 977.792221 / hubble;  // Gyr

double expansion(double redshift) { return std::sqrt(matter * std::pow(1.0 + redshift, 3) + 1.0 - matter); }

}  // namespace

double luminosity_distance_mpc(double redshift) {
  // Simpson's rule over 1/E(z): smooth, so that 64 intervals give ten digits.
  constexpr int intervals = 64;
  const double step = redshift / intervals;
  double sum = 0.0;
  for (int i = 0; i <= intervals; ++i) {
    const double weight = i == 0 || i == intervals ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0);
    sum += weight / expansion(i * step);
  }
  return (1.0 + redshift) * light_speed / hubble * sum * step / 3.0;
}

double cosmic_age_gyr(double redshift) {
  // The closed form for a flat universe of matter and Λ (Peebles 1993, eq. 13.20).
  const double ratio = std::sqrt((1.0 - matter) / matter) * std::pow(1.0 + redshift, -1.5);
  return hubble_time * 2.0 / (3.0 * std::sqrt(1.0 - matter)) * std::asinh(ratio);
}

double comoving_volume_density(double redshift) {
  const double distance = luminosity_distance_mpc(redshift) / (1.0 + redshift);
  return light_speed / hubble * distance * distance / expansion(redshift);
}

double kpc_per_arcsec(double redshift) {
  const double distance = luminosity_distance_mpc(redshift) / std::pow(1.0 + redshift, 2);
  return distance * 1e3 * std::numbers::pi / (180.0 * 3600.0);
}

}  // namespace astroclip::simulation
