#include "spectrum.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/survey.h"

namespace astroclip::simulation {

namespace {

// The rest frame: up to 10,104 Å at z = 0.01, down to 3600 Å at z = 0.6.
constexpr double rest_first = 2200.0;
constexpr double rest_step = 0.5;
constexpr int64_t rest_pixels = 15900;
constexpr double rest_wavelength(int64_t pixel) { return rest_first + rest_step * static_cast<double>(pixel); }

constexpr double pivot = 5500.0;
/// erg/s/Å at 5500 Å of one solar luminosity in V (absolute magnitude 4.81, 3.63e-9 erg/s/cm²/Å at magnitude 0).
constexpr double solar_luminosity = 5.17e29;
constexpr double mpc_in_cm = 3.0856776e24;

constexpr std::array<double, 8> ages = {0.01, 0.05, 0.2, 0.5, 1.0, 2.5, 6.0, 13.0};  // Gyr
/// The temperature of the blackbody that stands for the turn-off and the giants, K.
constexpr std::array<double, 8> temperatures = {28000, 17000, 11000, 8800, 7300, 5900, 5100, 4600};
/// Depth of the 4000 Å break, and of the Balmer series, which is deepest among A stars.
constexpr std::array<double, 8> breaks = {0.02, 0.05, 0.09, 0.14, 0.20, 0.33, 0.45, 0.52};
constexpr std::array<double, 8> balmer = {0.12, 0.25, 0.50, 0.60, 0.45, 0.20, 0.10, 0.06};

struct Feature {
  double wavelength, width, depth;
};
/// Metal features of an old population, in vacuum.
constexpr Feature metals[] = {{3934.8, 9.0, 0.50}, {3969.6, 9.0, 0.45},  {4227.9, 5.0, 0.12},  {4305.6, 15.0, 0.25},
                              {4384.6, 8.0, 0.12}, {5176.6, 18.0, 0.22}, {5270.9, 10.0, 0.12}, {5336.5, 10.0, 0.10},
                              {5895.6, 7.0, 0.20}, {6190.0, 60.0, 0.04}, {7130.0, 70.0, 0.07}, {8500.4, 5.0, 0.12},
                              {8544.4, 6.0, 0.22}, {8664.5, 6.0, 0.20}};
constexpr Feature hydrogen[] = {{6564.61, 8.0, 0.5}, {4862.68, 10.0, 0.8}, {4341.68, 11.0, 1.0}, {4102.89, 11.0, 1.0},
                                {3890.2, 9.0, 0.9},  {3836.5, 8.0, 0.8},   {3798.9, 7.0, 0.7}};

double absorb(double wavelength, const Feature& feature, double strength) {
  const double t = (wavelength - feature.wavelength) / feature.width;
  return std::abs(t) > 6.0 ? 1.0 : 1.0 - strength * feature.depth * std::exp(-0.5 * t * t);
}

double planck(double wavelength, double temperature) {
  constexpr double second_radiation = 1.438777e8;  // Å K
  return std::pow(wavelength, -5.0) / std::expm1(second_radiation / (wavelength * temperature));
}

/// Continuum and absorption of the population `a`, 1 at 5500 Å before its features.
double population_shape(double wavelength, size_t a) {
  const double edge = 1.0 / (1.0 + std::exp((wavelength - 3990.0) / 25.0));
  const double hot = 1.0 / (1.0 + std::exp((wavelength - 3690.0) / 20.0));
  double value = planck(wavelength, temperatures[a]) / planck(pivot, temperatures[a]);
  value *= (1.0 - breaks[a] * edge) * (1.0 - 0.75 * balmer[a] * hot);
  for (const Feature& feature : metals) value *= absorb(wavelength, feature, breaks[a] / breaks.back());
  for (const Feature& feature : hydrogen) value *= absorb(wavelength, feature, balmer[a]);
  return value;
}

/// Light of a solar mass in V: fades as age^−0.75, with about 0.4 solar luminosities at 10 Gyr.
double light_per_mass(double age) { return 2.2 * std::pow(age, -0.75); }

/// Weights of the tabulated ages that stand for `mass` solar masses formed at `age`, linear in its logarithm.
void add_population(double age, double mass, std::array<double, ages.size()>& weights) {
  const double clamped = std::clamp(age, ages.front(), ages.back());
  const size_t above = std::max<size_t>(1, std::lower_bound(ages.begin(), ages.end(), clamped) - ages.begin());
  const double t = std::log(clamped / ages[above - 1]) / std::log(ages[above] / ages[above - 1]);
  weights[above - 1] += (1.0 - t) * mass;
  weights[above] += t * mass;
}

using Masses = std::array<double, ages.size()>;

/// Solar masses of each age, in the bulge and in the disc.
std::array<Masses, 2> population_masses(const Galaxy& galaxy) {
  const double mass = std::pow(10.0, galaxy.log_mass), rate = std::pow(10.0, galaxy.log_sfr);
  // Stars of the last 0.1 Gyr and of the 0.8 Gyr before; never more than a third of all.
  const double young = std::min(rate * 1e8, 0.05 * mass), middle = std::min(rate * 8e8, 0.3 * mass);
  const double old = mass - young - middle;
  Masses bulge{}, disc{};
  add_population(galaxy.age, galaxy.bulge_share * old, bulge);
  add_population(0.03, young, disc);
  add_population(0.4, middle, disc);
  add_population(galaxy.age, (1.0 - galaxy.bulge_share) * old, disc);
  return {bulge, disc};
}

double dust_law(double wavelength) { return std::pow(wavelength / pivot, -0.7); }  // Charlot & Fall 2000

/// erg/s/Å of rest-frame luminosity to 1e-17 erg/s/cm²/Å observed.
double dilution_at(double redshift) {
  const double distance = luminosity_distance_mpc(redshift) * mpc_in_cm;
  return 1e17 / (4.0 * std::numbers::pi * distance * distance * (1.0 + redshift));
}

/// Sky lines: the strong ones of [OI] and Na, and a forest of OH beyond 6800 Å.
std::vector<double> sky_lines() {
  std::vector<double> lines = {5578.9, 5891.6, 5897.6, 6302.0, 6365.5};
  Rng rng(0, RngStream::simulation, 1u << 20);
  for (double wavelength = 6830.0; wavelength < 9830.0; wavelength += rng.uniform(8.0, 32.0)) {
    lines.push_back(wavelength);
  }
  return lines;
}

std::vector<float> make_spectrograph_noise() {
  std::vector<float> noise(static_cast<size_t>(data::spectrum_pixels));
  const std::vector<double> lines = sky_lines();
  for (int64_t i = 0; i < data::spectrum_pixels; ++i) {
    const double wavelength = model_wavelength(i);
    // Little throughput in the blue, falling again at the red end, and where the arms meet.
    double sigma =
        0.40 + 1.2 * std::exp(-(wavelength - 3600.0) / 280.0) + 0.25 * std::exp((wavelength - 9824.0) / 200.0);
    for (const double arm : {5780.0, 7570.0}) sigma += 0.15 * std::exp(-0.5 * std::pow((wavelength - arm) / 40.0, 2));
    for (const double line : lines) {
      const double t = (wavelength - line) / 1.1;
      if (std::abs(t) < 5.0) sigma += 0.7 * std::exp(-0.5 * t * t);
    }
    noise[static_cast<size_t>(i)] = static_cast<float>(sigma);
  }
  return noise;
}

}  // namespace

std::array<double, emission_lines.size()> line_luminosities(const Galaxy& galaxy) {
  // Kennicutt & Evans 2012 for Hα; case B for the Balmer decrement; fixed ratios within the doublets.
  const double alpha = 1.85e41 * std::pow(10.0, galaxy.log_sfr);
  const double beta = alpha / 2.86, oxygen2 = beta * std::clamp(2.2 - 0.8 * (galaxy.log_mass - 10.0), 0.8, 3.5);
  const double oxygen3 = beta * galaxy.oxygen_ratio, nitrogen = alpha * galaxy.nitrogen_ratio;
  return {0.43 * oxygen2, 0.57 * oxygen2, 0.259 * beta, 0.468 * beta, beta,          oxygen3 / 2.98, oxygen3,
          nitrogen / 3.0, alpha,          nitrogen,     0.20 * alpha, 0.145 * alpha, 0.03 * alpha};
}

SpectrumModel::SpectrumModel() : populations_(ages.size()), dust_law_(static_cast<size_t>(rest_pixels)) {
  for (size_t a = 0; a < ages.size(); ++a) {
    populations_[a].resize(static_cast<size_t>(rest_pixels));
    const double scale = solar_luminosity * light_per_mass(ages[a]) * 1e-30;
    for (int64_t i = 0; i < rest_pixels; ++i) {
      populations_[a][static_cast<size_t>(i)] = static_cast<float>(scale * population_shape(rest_wavelength(i), a));
    }
  }
  for (int64_t i = 0; i < rest_pixels; ++i) {
    dust_law_[static_cast<size_t>(i)] = static_cast<float>(dust_law(rest_wavelength(i)));
  }
}

/// Starlight behind `dust` magnitudes, redshifted onto the model's grid.
std::vector<float> SpectrumModel::starlight(const Galaxy& galaxy, std::span<const double> masses, double dust) const {
  const double stretch = 1.0 + galaxy.redshift;
  const auto begin = static_cast<size_t>((model_wavelength(0) / stretch - rest_first) / rest_step);
  const auto end = static_cast<size_t>((model_wavelength(model_pixels) / stretch - rest_first) / rest_step) + 2;
  std::vector<float> light(static_cast<size_t>(rest_pixels));
  for (size_t a = 0; a < ages.size(); ++a) {
    const auto weight = static_cast<float>(masses[a]);
    if (weight == 0.0F) continue;
    for (size_t i = begin; i < end; ++i) light[i] += weight * populations_[a][i];
  }
  const auto depth = static_cast<float>(-0.4 * std::numbers::ln10 * dust);
  for (size_t i = begin; i < end; ++i) light[i] *= std::exp(depth * dust_law_[i]);

  // The light is in 1e30 erg/s/Å, which a float holds.
  const auto scale = static_cast<float>(dilution_at(galaxy.redshift) * 1e30);
  std::vector<float> flux(static_cast<size_t>(model_pixels));
  for (int64_t i = 0; i < model_pixels; ++i) {
    const double place = (model_wavelength(i) / stretch - rest_first) / rest_step;
    const auto below = static_cast<size_t>(place);
    const auto t = static_cast<float>(place - static_cast<double>(below));
    flux[static_cast<size_t>(i)] = scale * ((1.0F - t) * light[below] + t * light[below + 1]);
  }
  return flux;
}

void SpectrumModel::add_lines(const Galaxy& galaxy, double dilution, std::span<float> flux) const {
  const auto luminosities = line_luminosities(galaxy);
  const double stretch = 1.0 + galaxy.redshift;
  // Gas moves faster in massive galaxies; the spectrograph adds 0.7 Å.
  const double velocity = 110.0 * std::pow(10.0, 0.2 * (galaxy.log_mass - 10.5)) / 299792.458;
  for (size_t l = 0; l < emission_lines.size(); ++l) {
    const double rest = emission_lines[l].wavelength, centre = rest * stretch;
    const double sigma = std::hypot(velocity * centre, 0.7);
    // Lines come from dustier places than the stars' light (Calzetti et al. 2000, a little milder).
    const double dust = std::pow(10.0, -0.4 * 1.6 * galaxy.dust * dust_law(rest));
    // The dilution is per observed Å; a line's integral over the observed Å carries the factor back.
    const double peak = luminosities[l] * dust * dilution * stretch / (sigma * std::sqrt(2.0 * std::numbers::pi));
    const auto first = static_cast<int64_t>(std::ceil((centre - 6.0 * sigma - model_wavelength(0)) / 0.8));
    const auto last = static_cast<int64_t>((centre + 6.0 * sigma - model_wavelength(0)) / 0.8);
    for (int64_t i = std::max<int64_t>(first, 0); i <= std::min(last, model_pixels - 1); ++i) {
      const double t = (model_wavelength(i) - centre) / sigma;
      flux[static_cast<size_t>(i)] += static_cast<float>(peak * std::exp(-0.5 * t * t));
    }
  }
}

ComponentSpectra SpectrumModel::spectra(const Galaxy& galaxy) const {
  const auto [bulge, disc] = population_masses(galaxy);
  // Bulges hold little dust.
  ComponentSpectra light{starlight(galaxy, bulge, 0.3 * galaxy.dust), starlight(galaxy, disc, galaxy.dust)};
  add_lines(galaxy, dilution_at(galaxy.redshift), light.disc);
  return light;
}

std::span<const float> spectrograph_noise() {
  static const std::vector<float> noise = make_spectrograph_noise();
  return noise;
}

double fibre_fraction(const Profile& profile) {
  // A fibre of 1.5″ across on a galaxy blurred by 1.1″: half the light within the blurred radius.
  const double radius = std::hypot(profile.radius * std::sqrt(profile.axis_ratio), 0.55);
  return 1.0 - std::pow(2.0, -std::pow(0.75 / radius, 1.3));
}

FibreSpectrum observe_spectrum(const Galaxy& galaxy, const ComponentSpectra& light, double noise, Rng rng) {
  // Pointing and calibration: 0.12 dex of scatter and a mild tilt over the spectrum.
  const double calibration = std::pow(10.0, 0.12 * noise * rng.normal());
  const double bulge = calibration * fibre_fraction(galaxy.bulge), disc = calibration * fibre_fraction(galaxy.disc);
  const double tilt = 0.04 * noise * rng.normal();
  const double exposure = noise * std::exp(0.2 * rng.normal());
  const auto sky = spectrograph_noise();
  FibreSpectrum seen{std::vector<float>(sky.size()), std::vector<float>(sky.size())};
  for (size_t i = 0; i < sky.size(); ++i) {
    const double colour = 1.0 + tilt * (static_cast<double>(i) / static_cast<double>(sky.size()) - 0.5);
    const double flux = colour * (bulge * light.bulge[i] + disc * light.disc[i]);
    const double variance = exposure * exposure * (static_cast<double>(sky[i]) * sky[i] + 0.03 * std::max(flux, 0.0));
    seen.flux[i] = static_cast<float>(flux + std::sqrt(variance) * rng.normal());
    seen.ivar[i] = variance > 0.0 ? static_cast<float>(1.0 / variance) : 0.0F;
  }
  return seen;
}

}  // namespace astroclip::simulation
