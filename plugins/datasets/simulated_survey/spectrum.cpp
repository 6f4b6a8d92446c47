#include "spectrum.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lines.h"

namespace astroclip::simulation {

namespace {

constexpr double light_speed = 299792.458;  // km/s
constexpr size_t rough_count = 25;

/// Bulge, disc and young stars. Bulges hold little dust.
std::array<Population, 3> populations_of(const Galaxy& galaxy) {
  constexpr double young_gyr = 0.1, old_gyr = 1.0;
  const AgeMasses old = galaxy.history.masses(old_gyr, galaxy.history.start_gyr);
  std::array<Population, 3> parts;
  auto& [bulge, disc, young] = parts;
  bulge.attenuation = 0.3 * galaxy.dust;
  disc = {galaxy.history.masses(young_gyr, old_gyr), galaxy.dust};
  young = {galaxy.history.masses(0.0, young_gyr), galaxy.dust};
  for (size_t a = 0; a < star_ages; ++a) {
    bulge.masses[a] = galaxy.bulge_share * old[a];
    disc.masses[a] += (1.0 - galaxy.bulge_share) * old[a];
  }
  return parts;
}

struct Feature {
  double wavelength, sigma, width;  // width: equivalent, Å
};
/// What the table's 20 Å pixels leave out of the calcium triplet.
constexpr Feature calcium[] = {{8500.4, 3.0, 0.8}, {8544.4, 3.5, 2.0}, {8664.5, 3.5, 1.7}};

/// Interpolates rest-frame L☉/Å onto the model's grid.
std::vector<float> observed(std::span<const double> rest, std::span<const float> light, double redshift) {
  const double stretch = 1.0 + redshift, scale = dilution_at(redshift);
  std::vector<float> flux(static_cast<size_t>(model_pixels));
  size_t above = 1;
  for (int64_t i = 0; i < model_pixels; ++i) {
    const double wavelength = model_wavelength(i) / stretch;
    while (rest[above] < wavelength) ++above;
    const double t = (wavelength - rest[above - 1]) / (rest[above] - rest[above - 1]);
    flux[static_cast<size_t>(i)] = static_cast<float>(scale * ((1.0 - t) * light[above - 1] + t * light[above]));
  }
  for (const auto& [centre, sigma, width] : calcium) {
    const double depth = width / (sigma * std::sqrt(2.0 * std::numbers::pi));
    const auto first = static_cast<int64_t>(((centre - 6.0 * sigma) * stretch - model_wavelength(0)) / 0.8);
    const auto last = static_cast<int64_t>(((centre + 6.0 * sigma) * stretch - model_wavelength(0)) / 0.8);
    for (int64_t i = first; i <= std::min(last, model_pixels - 1); ++i) {
      const double t = (model_wavelength(i) / stretch - centre) / sigma;
      flux[static_cast<size_t>(i)] *= static_cast<float>(1.0 - depth * std::exp(-0.5 * t * t));
    }
  }
  return flux;
}

/// The mean flux per Å (or per Hz, times a constant) between two wavelengths at rest.
double band_mean(std::span<const float> flux, double redshift, double from, double to, bool in_frequency) {
  const double stretch = 1.0 + redshift;
  double sum = 0.0, weight = 0.0;
  const auto first = static_cast<int64_t>(std::ceil((from * stretch - model_wavelength(0)) / 0.8));
  const auto last = static_cast<int64_t>(std::floor((to * stretch - model_wavelength(0)) / 0.8));
  for (int64_t i = std::max<int64_t>(first, 0); i <= std::min(last, model_pixels - 1); ++i) {
    const double squared = in_frequency ? model_wavelength(i) * model_wavelength(i) : 1.0;
    sum += squared * flux[static_cast<size_t>(i)];
    weight += 1.0;
  }
  return sum / weight;
}

/// The equivalent width of a band between two continua, all given by their ends in air.
double equivalent_width(std::span<const float> flux, double redshift, std::array<double, 6> ends) {
  // Air to vacuum: a factor of 1.00028 over the visible, within 0.02 Å.
  for (double& end : ends) end *= 1.000279;
  const auto [blue_from, blue_to, from, to, red_from, red_to] = ends;
  const double blue = band_mean(flux, redshift, blue_from, blue_to, false);
  const double red = band_mean(flux, redshift, red_from, red_to, false);
  const double place =
      (0.5 * (from + to) - 0.5 * (blue_from + blue_to)) / (0.5 * (red_from + red_to) - 0.5 * (blue_from + blue_to));
  const double continuum = blue + place * (red - blue);
  return (to - from) * (1.0 - band_mean(flux, redshift, from, to, false) / continuum);
}

}  // namespace

BandFluxes PartFluxes::total() const {
  BandFluxes sum = bulge;
  for (size_t b = 0; b < sum.size(); ++b) sum[b] += disc[b] + young[b];
  return sum;
}

PartFluxes part_fluxes(const ModelLight& light) {
  PartFluxes fluxes{band_fluxes(light.bulge), band_fluxes(light.disc), band_fluxes(light.young)};
  const BandFluxes lines = band_fluxes(light.lines);
  for (size_t b = 0; b < lines.size(); ++b) fluxes.young[b] += lines[b];
  return fluxes;
}

SpectrumModel::SpectrumModel() : rough_(stars_.rebinned(rough_count)) {}

ModelLight SpectrumModel::light(const Galaxy& galaxy) const {
  const auto parts = stars_.light(populations_of(galaxy), galaxy.log_metallicity);
  const auto seen = [&](size_t part) { return observed(stars_.wavelengths(), parts[part], galaxy.redshift); };
  ModelLight light{seen(0), seen(1), seen(2), std::vector<float>(static_cast<size_t>(model_pixels))};
  add_lines(galaxy, light.lines);
  return light;
}

BandFluxes SpectrumModel::rough_fluxes(const Galaxy& galaxy) const {
  auto parts = rough_.light(populations_of(galaxy), galaxy.log_metallicity);
  for (size_t i = 0; i < parts[0].size(); ++i) parts[0][i] += parts[1][i] + parts[2][i];
  return band_fluxes(rough_.wavelengths(), parts[0], galaxy.redshift);
}

double log_stellar_mass(const Galaxy& galaxy) {
  const AgeMasses masses = galaxy.history.masses(0.0, galaxy.history.start_gyr);
  return std::log10(galaxy.history.formed * surviving_share(masses, galaxy.log_metallicity));
}

void broaden(std::span<float> flux, double sigma) {
  // σ in pixels grows with the wavelength; it is constant over blocks in which it changes by a hundredth at most.
  constexpr int64_t block = 64;
  const auto count = static_cast<int64_t>(flux.size());
  const std::vector<float> from(flux.begin(), flux.end());
  std::vector<float> taps;
  for (int64_t begin = 0; begin < count; begin += block) {
    const double pixels = sigma / light_speed * model_wavelength(begin + block / 2) / 0.8;
    const auto reach = static_cast<int64_t>(std::ceil(4.0 * pixels));
    taps.clear();
    float sum = 0.0F;
    for (int64_t k = -reach; k <= reach; ++k) {
      taps.push_back(static_cast<float>(std::exp(-0.5 * std::pow(static_cast<double>(k) / std::max(pixels, 1e-3), 2))));
      sum += taps.back();
    }
    for (int64_t i = begin; i < std::min(begin + block, count); ++i) {
      float value = 0.0F;
      for (int64_t k = -reach; k <= reach; ++k) {
        value +=
            taps[static_cast<size_t>(k + reach)] * from[static_cast<size_t>(std::clamp<int64_t>(i + k, 0, count - 1))];
      }
      flux[static_cast<size_t>(i)] = value / sum;
    }
  }
}

Indices spectral_indices(std::span<const float> flux, double redshift) {
  constexpr double vacuum = 1.000279;
  return {band_mean(flux, redshift, 4000.0 * vacuum, 4100.0 * vacuum, true) /
              band_mean(flux, redshift, 3850.0 * vacuum, 3950.0 * vacuum, true),
          equivalent_width(flux, redshift, {4041.60, 4081.50, 4083.50, 4122.25, 4128.50, 4161.00}),
          equivalent_width(flux, redshift, {5117.625, 5142.625, 5160.125, 5192.625, 5191.375, 5206.375})};
}

}  // namespace astroclip::simulation
