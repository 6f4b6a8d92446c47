#pragma once

#include <cstdint>

#include "base/rng.h"

namespace astroclip::simulation {

/// Streams of one galaxy: what is drawn in one never shifts what another gives.
enum class Stream : uint64_t { galaxy = 0, spectrum = 1, image = 2, photometry = 3 };

inline Rng stream(uint64_t seed, int64_t index, Stream of) {
  return {seed, RngStream::simulation, static_cast<uint64_t>(of), static_cast<uint64_t>(index)};
}

/// How light lies on the sky: a Sérsic profile with elliptical isophotes.
struct Profile {
  double sersic_index = 1.0;
  double radius = 1.0;  ///< half-light radius along the major axis, arcsec
  double axis_ratio = 1.0;
  double position_angle = 0.0;  ///< of the major axis, radians from x towards y
};

/// What a galaxy is, before anybody observes it.
struct Galaxy {
  double redshift = 0.1;
  double log_mass = 10.5;    ///< log10 of the stellar mass in solar masses
  double age = 5.0;          ///< of the old population, Gyr
  double dust = 0.3;         ///< attenuation of starlight at 5500 Å, magnitudes
  double log_sfr = 0.0;      ///< log10 of solar masses a year
  double bulge_share = 0.0;  ///< of the old stars; the others, young stars and gas are in the disc
  Profile bulge, disc;
  double nitrogen_ratio = 0.3;  ///< [NII] 6585 / Hα
  double oxygen_ratio = 0.5;    ///< [OIII] 5008 / Hβ
};

/// Draws galaxy `index` of the survey `seed`: redshifts as in a magnitude-limited sample, masses that grow with
/// redshift by selection, a red sequence and a blue cloud, old bulges in younger discs.
Galaxy draw_galaxy(uint64_t seed, int64_t index);

/// Flat ΛCDM with H0 = 70 km/s/Mpc and Ωm = 0.3.
double luminosity_distance_mpc(double redshift);
/// Age of the universe at a redshift, Gyr.
double cosmic_age_gyr(double redshift);

}  // namespace astroclip::simulation
