#include "galaxy.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace astroclip::simulation {

namespace {

constexpr double hubble = 70.0;  // km/s/Mpc
constexpr double matter = 0.3;
constexpr double light_speed = 299792.458;           // km/s
constexpr double hubble_time = 977.792221 / hubble;  // Gyr

/// n(z) ∝ z^1.5 exp(−(z/0.3)^2) on 0.01..0.6, by rejection.
double draw_redshift(Rng& rng) {
  const auto density = [](double z) { return std::pow(z, 1.5) * std::exp(-z * z / 0.09); };
  const double peak = density(0.3 * std::sqrt(0.75));
  for (;;) {
    const double z = rng.uniform(0.01, 0.6);
    if (rng.uniform() * peak < density(z)) return z;
  }
}

/// Sizes at a given mass: Shen et al. 2003 and van der Wel et al. 2014, in kpc.
double draw_radius_kpc(double log_mass, bool is_red, Rng& rng) {
  const double mean = is_red ? 0.60 + 0.60 * (log_mass - 10.7) : 0.74 + 0.23 * (log_mass - 10.7);
  return std::max(0.6, std::pow(10.0, mean + (is_red ? 0.13 : 0.17) * rng.normal()));
}

void draw_populations(Galaxy& galaxy, bool is_red, Rng& rng) {
  const double mass = galaxy.log_mass;
  const double oldest = cosmic_age_gyr(galaxy.redshift) - 0.7;
  // The star-forming main sequence (Speagle et al. 2014, rounded), the red ones far below it.
  const double sequence = 0.2 + 0.7 * (mass - 10.5) + 2.5 * std::log10(1.0 + galaxy.redshift);
  if (is_red) {
    galaxy.log_sfr = sequence - 1.7 + 0.35 * rng.normal();
    galaxy.age = std::clamp(7.5 + 1.0 * (mass - 10.8) + 1.5 * rng.normal(), 2.5, oldest);
    galaxy.dust = std::abs(0.08 + 0.08 * rng.normal());
  } else {
    const double excess = rng.normal();
    galaxy.log_sfr = sequence + 0.3 * excess;
    galaxy.age = std::clamp(4.0 + 1.2 * (mass - 10.3) - 0.7 * excess + 1.0 * rng.normal(), 1.0, oldest);
    galaxy.dust = std::abs(0.2 + 0.3 * (mass - 10.0) + 0.1 * excess + 0.15 * rng.normal());
  }
}

void draw_shape(Galaxy& galaxy, bool is_red, Rng& rng) {
  const double share = is_red ? 0.65 + 0.2 * rng.normal() : 0.25 + 0.2 * rng.normal();
  galaxy.bulge_share = std::clamp(share, 0.0, 0.95);
  const double distance = luminosity_distance_mpc(galaxy.redshift) / std::pow(1.0 + galaxy.redshift, 2);
  const double kpc_per_arcsec = distance * 1e3 * std::numbers::pi / (180.0 * 3600.0);
  Profile& disc = galaxy.disc;
  disc.radius = std::clamp(draw_radius_kpc(galaxy.log_mass, is_red, rng) / kpc_per_arcsec, 0.2, 8.0);
  disc.axis_ratio = is_red ? rng.uniform(0.55, 1.0) : rng.uniform(0.2, 1.0);
  disc.position_angle = rng.uniform(0.0, std::numbers::pi);
  // A disc on edge is seen through more of its dust (Masters et al. 2010).
  if (!is_red) galaxy.dust -= 0.8 * std::log10(disc.axis_ratio);
  // Bulges are small, and rounder than the disc around them; those of ellipticals are most of the galaxy.
  galaxy.bulge = {.sersic_index = 4.0,
                  .radius = std::max(0.1, disc.radius * (0.2 + 0.5 * galaxy.bulge_share)),
                  .axis_ratio = 0.5 + 0.5 * disc.axis_ratio,
                  .position_angle = disc.position_angle};
}

void draw_gas(Galaxy& galaxy, Rng& rng) {
  const double mass = galaxy.log_mass;
  galaxy.nitrogen_ratio = std::clamp(std::pow(10.0, -0.95 + 0.35 * (mass - 9.5) + 0.1 * rng.normal()), 0.05, 0.8);
  galaxy.oxygen_ratio = std::clamp(std::pow(10.0, 0.35 - 0.55 * (mass - 9.5) + 0.15 * rng.normal()), 0.12, 5.0);
}

}  // namespace

double luminosity_distance_mpc(double redshift) {
  // Simpson's rule over 1/E(z): smooth, so that 64 intervals give ten digits.
  constexpr int intervals = 64;
  const double step = redshift / intervals;
  double sum = 0.0;
  for (int i = 0; i <= intervals; ++i) {
    const double weight = i == 0 || i == intervals ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0);
    sum += weight / std::sqrt(matter * std::pow(1.0 + i * step, 3) + 1.0 - matter);
  }
  return (1.0 + redshift) * light_speed / hubble * sum * step / 3.0;
}

double cosmic_age_gyr(double redshift) {
  // The closed form for a flat universe of matter and Λ (Peebles 1993, eq. 13.20).
  const double ratio = std::sqrt((1.0 - matter) / matter) * std::pow(1.0 + redshift, -1.5);
  return hubble_time * 2.0 / (3.0 * std::sqrt(1.0 - matter)) * std::asinh(ratio);
}

Galaxy draw_galaxy(uint64_t seed, int64_t index) {
  Rng rng = stream(seed, index, Stream::galaxy);
  Galaxy galaxy;
  galaxy.redshift = draw_redshift(rng);
  // A magnitude limit lets only massive galaxies in from afar.
  galaxy.log_mass = std::clamp(10.7 + 0.85 * std::log10(galaxy.redshift / 0.2) + 0.42 * rng.normal(), 8.5, 11.9);
  const double quenched = 1.0 / (1.0 + std::exp(-(galaxy.log_mass - 10.7) / 0.25));
  const bool is_red = rng.uniform() < quenched;
  draw_populations(galaxy, is_red, rng);
  draw_shape(galaxy, is_red, rng);
  draw_gas(galaxy, rng);
  return galaxy;
}

}  // namespace astroclip::simulation
