#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace astroclip::simulation {

inline constexpr size_t star_ages = 20;
inline constexpr size_t star_metallicities = 8;
/// Gyr. The first three are the stars that still lie in their birth clouds.
inline constexpr std::array<double, star_ages> star_age_gyr = {
    0.001,    0.003,    0.006,    0.01122, 0.015849, 0.025119, 0.039811, 0.063096, 0.1,  0.158489,
    0.251189, 0.398107, 0.630957, 1.0,     1.584893, 2.511886, 3.981072, 6.309573, 10.0, 13.182567};
/// [Z/H]
inline constexpr std::array<double, star_metallicities> star_metallicity = {-1.5,  -1.0, -0.75, -0.5,
                                                                            -0.25, 0.0,  0.25,  0.37};
/// Z of [Z/H] = 0, as PROVABGS has it.
inline constexpr double solar_metallicity = 0.019;

/// Solar masses formed, by age.
using AgeMasses = std::array<double, star_ages>;

/// Adds `mass` formed `lookback` Gyr ago: shared by the two ages around it, linearly in the logarithm of the age.
void add_stars(double lookback, double mass, AgeMasses& to);
/// The share of the mass formed that is still in stars and remnants.
double surviving_share(const AgeMasses& masses, double log_metallicity);

/// Stars of one part of a galaxy, all behind the same dust.
struct Population {
  AgeMasses masses{};
  double attenuation = 0.0;  ///< A(5500 Å), magnitudes
};

/// A(λ)/A(5500 Å) of Calzetti et al. (2000), eq. 4, λ in Å; beyond its 1200–22000 Å undefined.
double calzetti_curve(double wavelength);

/// Spectra of simple stellar populations (figures/README.md).
class StarTable {
 public:
  /// The table with the correction of its continuum (survey.md), or without.
  explicit StarTable(bool corrected = true);
  /// The mean of every `count` wavelengths, for photometry.
  StarTable rebinned(size_t count) const;

  std::span<const double> wavelengths() const { return wavelengths_; }  ///< Å in vacuum
  /// L☉/Å of each population at every wavelength, L☉ = 3.839e33 erg/s. ln L is linear in [Z/H]. Calzetti's law for all
  /// stars, and for those in birth clouds 1.27 times as much again ∝ 1/λ (1/0.44 in all, Calzetti et al. 2000).
  std::vector<std::vector<float>> light(std::span<const Population> populations, double log_metallicity) const;

 private:
  std::vector<double> wavelengths_;
  std::vector<float> log_luminosity_;  // [metallicity][age][wavelength]
  std::vector<float> correction_, dust_, cloud_;
};

}  // namespace astroclip::simulation
