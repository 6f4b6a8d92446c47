#pragma once

#include <array>
#include <span>
#include <vector>

/// Properties of galaxies as PROVABGS defines them (Hahn et al. 2023, "PROVABGS: the probabilistic stellar mass
/// function of the BGS", and models.py of its code).
namespace astroclip::data {

/// Age of the universe in Gyr at a redshift up to 0.6 by the cosmology of Planck 2013, which PROVABGS takes: a flat
/// universe of matter and Λ whose figures fit it to 1.2e-4 Gyr (its neutrinos are in the figures).
double provabgs_age_gyr(double redshift);

/// A history of star formation in bins of lookback time.
struct BinnedHistory {
  std::vector<double> edges;        ///< Gyr, from 0 to the age of the universe
  std::vector<double> mass;         ///< share of the smooth mass in each bin; the sum is 1
  std::vector<double> metallicity;  ///< Z in each bin
  double burst_share = 0.0;
  double burst_gyr = 0.0;
};
/// 0, 10^(6.05 + 0.1 k) years and 13.8 Gyr as far as they lie below `age_gyr`, then `age_gyr`.
std::vector<double> provabgs_edges(double age_gyr);

/// The parameters that a history is made of, the first of the catalogue's PROVABGS_THETA_BF: log10 of the mass formed,
/// the shares of four bases, share and lookback time (Gyr) of a burst, the shares of two bases of metallicity.
inline constexpr size_t provabgs_parameters = 9;
BinnedHistory provabgs_history(std::span<const double, provabgs_parameters> theta, double age_gyr);

/// PROVABGS's TAGE_MW (Gyr), Z_MW and AVG_SFR per solar mass formed (1/yr, over the last Gyr).
struct HistoryLabels {
  double age, metallicity, specific_rate;
};
HistoryLabels provabgs_labels(const BinnedHistory& history);

/// What the labels of a galaxy's stars are computed from.
struct StellarProperties {
  double log_mass;     ///< log10 M☉, of what has survived
  double age;          ///< Gyr
  double metallicity;  ///< Z
  double rate;         ///< M☉/yr
};
struct StellarLabel {
  const char *name, *unit, *meaning;
  double (*value)(const StellarProperties& stars);
};
/// Those of every dataset that knows them: "log_mass", "age", "metallicity", "log_sfr", "log_ssfr"; and, where
/// AstroCLIP published another quantity under the name, "published_metallicity" and "published_ssfr".
std::span<const StellarLabel> stellar_labels();

}  // namespace astroclip::data
