#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bands.h"
#include "galaxy.h"
#include "stars.h"

namespace astroclip::simulation {

/// Flux densities of the parts of a galaxy without noise, on the model's grid: 1e-17 erg/s/cm²/Å. The stars are at rest
/// in it; `broaden` moves them.
struct ModelLight {
  std::vector<float> bulge, disc;
  std::vector<float> young;  ///< stars of the last 0.1 Gyr, in the disc
  std::vector<float> lines;  ///< of the gas, in the disc
};
/// The magnitudes' fluxes, of the parts that images tell apart.
struct PartFluxes {
  BandFluxes bulge{}, disc{}, young{};  ///< young: with the gas
  BandFluxes total() const;
};
PartFluxes part_fluxes(const ModelLight& light);

/// Stars from the table, through dust, redshifted; lines of the gas.
class SpectrumModel {
 public:
  SpectrumModel();
  ModelLight light(const Galaxy& galaxy) const;
  /// Fluxes of the stars alone, from 180 wavelengths: within some hundredths, for a first choice.
  BandFluxes rough_fluxes(const Galaxy& galaxy) const;

 private:
  StarTable stars_, rough_;
};

/// log10 of the stellar mass, M☉: what survives of the mass formed.
double log_stellar_mass(const Galaxy& galaxy);

/// Convolves a spectrum on the model's grid by a Gaussian of `sigma` km/s.
void broaden(std::span<float> flux, double sigma);

/// Dn4000 (Balogh et al. 1999), Hδ_A (Worthey & Ottaviani 1997) and Mg b (Worthey et al. 1994), the latter Å of
/// equivalent width with their bands in air taken to vacuum, of a spectrum on the model's grid.
struct Indices {
  double dn4000, hdelta, mgb;
};
Indices spectral_indices(std::span<const float> flux, double redshift);

}  // namespace astroclip::simulation
