#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "galaxy.h"

namespace astroclip::simulation {

/// The model's grid: the survey's, run on to 10,104 Å so that the z band is covered whole.
inline constexpr int64_t model_pixels = 8131;
constexpr double model_wavelength(int64_t pixel) { return 3600.0 + 0.8 * static_cast<double>(pixel); }

struct EmissionLine {
  const char* name;
  double wavelength;  ///< in vacuum, Å
};
/// The lines that star formation lights, at their vacuum wavelengths (NIST).
inline constexpr std::array<EmissionLine, 13> emission_lines = {{{"[OII]", 3727.09},
                                                                 {"[OII]", 3729.88},
                                                                 {"Hδ", 4102.89},
                                                                 {"Hγ", 4341.68},
                                                                 {"Hβ", 4862.68},
                                                                 {"[OIII]", 4960.30},
                                                                 {"[OIII]", 5008.24},
                                                                 {"[NII]", 6549.85},
                                                                 {"Hα", 6564.61},
                                                                 {"[NII]", 6585.27},
                                                                 {"[SII]", 6718.29},
                                                                 {"[SII]", 6732.67},
                                                                 {"[OI]", 6302.05}}};
/// Line luminosities of a galaxy before dust, erg/s, in the order of emission_lines.
std::array<double, emission_lines.size()> line_luminosities(const Galaxy& galaxy);

struct ComponentSpectra {
  std::vector<float> bulge, disc;
};

/// Parametric spectra: populations of a few ages, each a blackbody with the 4000 Å (or Balmer) break and absorption
/// features, through a power law of dust, with emission lines.
class SpectrumModel {
 public:
  SpectrumModel();
  /// Flux densities of bulge and disc, without noise, on the model's grid: 1e-17 erg/s/cm²/Å.
  ComponentSpectra spectra(const Galaxy& galaxy) const;

 private:
  std::vector<float> starlight(const Galaxy& galaxy, std::span<const double> masses, double dust) const;
  void add_lines(const Galaxy& galaxy, double dilution, std::span<float> flux) const;

  std::vector<std::vector<float>> populations_;  // by age, erg/s/Å for a solar mass
  std::vector<float> dust_law_;                  // A(λ)/A(5500 Å)
};

/// What the spectrograph's noise is made of: σ of each of the survey's pixels for a source of no flux.
std::span<const float> spectrograph_noise();

struct FibreSpectrum {
  std::vector<float> flux;  ///< on the survey's 7781 pixels, 1e-17 erg/s/cm²/Å
  std::vector<float> ivar;
};
/// The share of a component's light that the fibre takes in, without calibration errors.
double fibre_fraction(const Profile& profile);
/// Sees a model spectrum through a fibre: aperture loss, calibration scatter and noise, all scaled by `noise`.
FibreSpectrum observe_spectrum(const Galaxy& galaxy, const ComponentSpectra& light, double noise, Rng rng);

}  // namespace astroclip::simulation
