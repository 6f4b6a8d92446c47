#include "stars.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <numbers>

namespace astroclip::simulation {

namespace {

constexpr size_t star_wavelengths = 4500;
// A spectrum is its first ln L and the steps from one wavelength to the next, in thousandths.
const int16_t luminosity_steps[] = {
#include "figures/ssp_luminosity.inc"
};
const double table_wavelengths[] = {
#include "figures/ssp_wavelength.inc"
};
const double surviving[star_metallicities * star_ages] = {
#include "figures/ssp_surviving.inc"
};
static_assert(std::size(luminosity_steps) == star_metallicities * star_ages * star_wavelengths);
static_assert(std::size(table_wavelengths) == star_wavelengths);

constexpr size_t cloud_ages = 3;  // up to 11 Myr
constexpr double cloud_excess = 1.0 / 0.44 - 1.0;

/// What brings the colours of red galaxies of this table to those of the SDSS: Å and factor.
constexpr std::pair<double, double> continuum[] = {{2500.0, 1.0},   {3500.0, 0.99},  {4200.0, 1.01}, {5000.0, 1.0},
                                                   {6000.0, 1.02},  {7000.0, 1.065}, {7800.0, 0.97}, {8600.0, 0.975},
                                                   {9400.0, 0.985}, {10500.0, 1.0}};

double continuum_correction(double wavelength) {
  if (wavelength <= continuum[0].first) return continuum[0].second;
  for (size_t i = 1; i < std::size(continuum); ++i) {
    const auto [low, low_factor] = continuum[i - 1];
    const auto [high, high_factor] = continuum[i];
    if (wavelength < high) return low_factor + (high_factor - low_factor) * (wavelength - low) / (high - low);
  }
  return continuum[std::size(continuum) - 1].second;
}

/// The entry below `value` in an ascending grid, and how far it is on the way to the next.
std::pair<size_t, double> place_in(std::span<const double> grid, double value) {
  const double clamped = std::clamp(value, grid.front(), grid.back());
  const auto above = std::clamp<size_t>(std::ranges::upper_bound(grid, clamped) - grid.begin(), 1, grid.size() - 1);
  return {above - 1, (clamped - grid[above - 1]) / (grid[above] - grid[above - 1])};
}

}  // namespace

void add_stars(double lookback, double mass, AgeMasses& to) {
  const double age = std::clamp(lookback, star_age_gyr.front(), star_age_gyr.back());
  const auto [below, _] = place_in(star_age_gyr, age);
  const double share = std::log(age / star_age_gyr[below]) / std::log(star_age_gyr[below + 1] / star_age_gyr[below]);
  to[below] += (1.0 - share) * mass;
  to[below + 1] += share * mass;
}

double surviving_share(const AgeMasses& masses, double log_metallicity) {
  const auto [below, t] = place_in(star_metallicity, log_metallicity);
  double formed = 0.0, left = 0.0;
  for (size_t a = 0; a < star_ages; ++a) {
    formed += masses[a];
    left += masses[a] * ((1.0 - t) * surviving[below * star_ages + a] + t * surviving[(below + 1) * star_ages + a]);
  }
  return left / formed;
}

double calzetti_curve(double wavelength) {
  const double x = 1e4 / wavelength;  // 1/µm
  const double k = wavelength < 6300.0 ? 2.659 * (-2.156 + 1.509 * x - 0.198 * x * x + 0.011 * x * x * x) + 4.05
                                       : 2.659 * (-1.857 + 1.040 * x) + 4.05;
  constexpr double at = 1e4 / 5500.0;
  return k / (2.659 * (-2.156 + 1.509 * at - 0.198 * at * at + 0.011 * at * at * at) + 4.05);
}

StarTable::StarTable(bool corrected)
    : wavelengths_(std::begin(table_wavelengths), std::end(table_wavelengths)),
      log_luminosity_(std::size(luminosity_steps)) {
  for (size_t row = 0; row < log_luminosity_.size(); row += star_wavelengths) {
    int32_t value = 0;
    for (size_t i = row; i < row + star_wavelengths; ++i) {
      value += luminosity_steps[i];
      log_luminosity_[i] = 1e-3F * static_cast<float>(value);
    }
  }
  for (const double wavelength : wavelengths_) {
    correction_.push_back(corrected ? static_cast<float>(continuum_correction(wavelength)) : 1.0F);
    dust_.push_back(static_cast<float>(calzetti_curve(wavelength)));
    cloud_.push_back(static_cast<float>(cloud_excess * 5500.0 / wavelength));
  }
}

StarTable StarTable::rebinned(size_t count) const {
  StarTable coarse = *this;
  const auto mean = [&](const auto& from, auto value, auto back) {
    std::remove_cvref_t<decltype(from)> to;
    for (size_t i = 0; i + count <= from.size(); i += count) {
      double sum = 0.0;
      for (size_t k = i; k < i + count; ++k) sum += value(static_cast<double>(from[k]));
      to.push_back(static_cast<typename std::remove_cvref_t<decltype(from)>::value_type>(
          back(sum / static_cast<double>(count))));
    }
    return to;
  };
  const auto same = [](double value) { return value; };
  coarse.wavelengths_ = mean(wavelengths_, same, same);
  coarse.log_luminosity_ = mean(
      log_luminosity_, [](double v) { return std::exp(v); }, [](double v) { return std::log(v); });
  for (auto* curve : {&coarse.correction_, &coarse.dust_, &coarse.cloud_}) *curve = mean(*curve, same, same);
  return coarse;
}

std::vector<std::vector<float>> StarTable::light(std::span<const Population> populations,
                                                 double log_metallicity) const {
  const size_t count = wavelengths_.size();
  const auto [below, place] = place_in(star_metallicity, log_metallicity);
  const auto t = static_cast<float>(place);
  std::vector<std::vector<float>> light(populations.size(), std::vector<float>(count));
  std::vector<float> one(count);
  const auto attenuate = [&](std::span<float> flux, const std::vector<float>& curve, double attenuation) {
    const auto depth = static_cast<float>(-0.4 * std::numbers::ln10 * attenuation);
    for (size_t i = 0; i < count; ++i) flux[i] *= std::exp(depth * curve[i]);
  };
  for (size_t a = 0; a < star_ages; ++a) {
    // What has been summed up to here lies in birth clouds.
    for (size_t p = 0; a == cloud_ages && p < populations.size(); ++p) {
      attenuate(light[p], cloud_, populations[p].attenuation);
    }
    if (std::ranges::all_of(populations, [&](const Population& p) { return p.masses[a] <= 0.0; })) continue;
    const float* low = log_luminosity_.data() + (below * star_ages + a) * count;
    const float* high = low + star_ages * count;
    for (size_t i = 0; i < count; ++i) one[i] = std::exp(low[i] + t * (high[i] - low[i]));
    for (size_t p = 0; p < populations.size(); ++p) {
      const auto mass = static_cast<float>(populations[p].masses[a]);
      if (mass <= 0.0F) continue;
      for (size_t i = 0; i < count; ++i) light[p][i] += mass * one[i];
    }
  }
  for (size_t p = 0; p < populations.size(); ++p) {
    attenuate(light[p], dust_, populations[p].attenuation);
    for (size_t i = 0; i < count; ++i) light[p][i] *= correction_[i];
  }
  return light;
}

}  // namespace astroclip::simulation
