#pragma once

#include <span>
#include <vector>

#include "stars.h"

namespace astroclip::simulation {

/// How the stars of a galaxy formed: a rate ∝ t exp(−kt) at a time t after the beginning, a constant rate over the last
/// Gyr, and a burst.
struct History {
  double formed = 1e10;  ///< solar masses, those that have died since included
  double start_gyr = 10.0;
  double decay = 1.0;         ///< k = 1/τ, 1/Gyr; below 0 for rates that rise all the time
  double recent_share = 0.0;  ///< of the mass, formed at the constant rate
  double burst_share = 0.0;
  double burst_gyr = 0.5;

  /// The share of the mass that formed between two lookback times, the burst left out.
  double smooth_share(double from_gyr, double to_gyr) const;
  /// Solar masses by age of stars formed between two lookback times.
  AgeMasses masses(double from_gyr, double to_gyr) const;
};

/// The decay k of a rate ∝ t exp(−kt) whose present value is `rate` of the mass per Gyr, `start` Gyr after its
/// beginning.
double decay_for_rate(double rate, double start);

/// A history in bins of lookback time, as PROVABGS averages it (Hahn et al. 2023, "PROVABGS: the probabilistic stellar
/// mass function of the BGS", and models.py of its code).
struct BinnedHistory {
  std::vector<double> edges;        ///< Gyr, from 0 to the age of the universe
  std::vector<double> mass;         ///< share of the smooth mass in each bin; the sum is 1
  std::vector<double> metallicity;  ///< Z in each bin
  double burst_share = 0.0;
  double burst_gyr = 0.0;
};
/// 0, 10^(6.05 + 0.1 k) years and 13.8 Gyr as far as they lie below `age_gyr`, then `age_gyr`.
std::vector<double> provabgs_edges(double age_gyr);
BinnedHistory binned(const History& history, double metallicity, double age_gyr);

/// PROVABGS's TAGE_MW (Gyr), Z_MW and AVG_SFR per solar mass formed (1/yr, over the last Gyr).
struct HistoryLabels {
  double age, metallicity, specific_rate;
};
HistoryLabels provabgs_labels(const BinnedHistory& history);

}  // namespace astroclip::simulation
