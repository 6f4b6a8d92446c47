#pragma once

namespace astroclip::simulation {

/// Flat ΛCDM with H0 = 70 km/s/Mpc and Ωm = 0.3.
double luminosity_distance_mpc(double redshift);
/// Age of the universe at a redshift, Gyr.
double cosmic_age_gyr(double redshift);
/// dV/dz of the whole sky over 4π, Mpc³ (Hogg 1999, eq. 28).
double comoving_volume_density(double redshift);
/// kpc in a second of arc.
double kpc_per_arcsec(double redshift);

}  // namespace astroclip::simulation
