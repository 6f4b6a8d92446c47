#pragma once

#include "data/provabgs.h"
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

/// The history in the bins of PROVABGS, of one metallicity Z, up to the age of the universe.
data::BinnedHistory binned(const History& history, double metallicity, double age_gyr);

}  // namespace astroclip::simulation
