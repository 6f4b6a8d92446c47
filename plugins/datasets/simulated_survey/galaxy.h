#pragma once

#include <cstdint>

#include "base/rng.h"
#include "history.h"
#include "structure.h"

namespace astroclip::simulation {

/// Streams of one galaxy: what is drawn in one never shifts what another gives.
enum class Stream : uint64_t { galaxy = 0, spectrum = 1, image = 2, photometry = 3, pipeline = 4, votes = 5 };

inline Rng stream(uint64_t seed, int64_t index, Stream of) {
  return {seed, RngStream::simulation, static_cast<uint64_t>(of), static_cast<uint64_t>(index)};
}

/// Gas that stars or a nucleus light.
struct Gas {
  double oxygen = 8.7;        ///< 12 + log(O/H) by the O3N2 calibration of Pettini & Pagel (2004)
  double log_nucleus = 0.0;   ///< log10 of the nucleus's [OIII] 5008 luminosity, erg/s; 0: none
  double velocity_sigma = 0;  ///< km/s
};

/// What a galaxy is, before anybody observes it.
struct Galaxy {
  double redshift = 0.1;
  bool quenched = false;
  History history;
  double log_metallicity = 0.0;   ///< [Z/H] of the stars
  double dust = 0.3;              ///< attenuation of starlight at 5500 Å, magnitudes
  double bulge_share = 0.0;       ///< of the stars older than 1 Gyr; the others are in the disc
  double velocity_sigma = 100.0;  ///< of the stars, km/s
  bool elliptical = false;        ///< has hardly a disc
  Profile bulge, disc;
  Structure structure;
  Gas gas;
};

/// The sample is cut at r < 19.5, as the bright galaxy survey of DESI (Hahn et al. 2023).
inline constexpr double magnitude_limit = 19.5;

/// Galaxies per Mpc³ and dex of stellar mass (Baldry et al. 2012: a double Schechter function).
double mass_function(double log_mass);
/// The share of galaxies of a stellar mass that are quenched (survey.md).
double quenched_share(double log_mass);
/// log10 of the star-formation rate of the main sequence, M☉/yr: a setting that gives the colours of SDSS galaxies
/// (survey.md, which compares it with Speagle et al. 2014).
double main_sequence(double log_mass, double redshift);
/// 12 + log(O/H) of a stellar mass (Kewley & Ellison 2008, table 2, PP04 O3N2).
double gas_metallicity(double log_mass);
/// Velocity dispersion of the stars, km/s (Zahid et al. 2016, eq. 5).
double velocity_dispersion(double log_mass);
/// The half-light radius of a stellar mass, kpc: of discs by Shen et al. (2003), of quenched galaxies by van der Wel et
/// al. (2014), both rounded.
double median_radius_kpc(double log_mass, bool quenched);

/// Draws a galaxy out of the volume within redshift 0.01 to 0.6, from the mass function above the least mass that could
/// be bright enough for the survey. Whether it is, its magnitude says.
Galaxy draw_galaxy(Rng& rng);

}  // namespace astroclip::simulation
