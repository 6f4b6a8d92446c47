#include "history.h"

#include <algorithm>
#include <cmath>

namespace astroclip::simulation {

namespace {

constexpr double recent_gyr = 1.0;

/// ∫ s exp(−ks) ds from 0 to t; for small kt the first terms of its series.
double formed_by(double decay, double t) {
  const double x = decay * t;
  if (std::abs(x) < 1e-3) return t * t * (0.5 - x / 3.0 + x * x / 8.0);
  return (1.0 - std::exp(-x) * (1.0 + x)) / (decay * decay);
}

}  // namespace

double History::smooth_share(double from_gyr, double to_gyr) const {
  const auto since_start = [&](double lookback) { return std::max(0.0, start_gyr - lookback); };
  const double delayed =
      (formed_by(decay, since_start(from_gyr)) - formed_by(decay, since_start(to_gyr))) / formed_by(decay, start_gyr);
  const double recent = (std::min(to_gyr, recent_gyr) - std::min(from_gyr, recent_gyr)) / recent_gyr;
  return (1.0 - recent_share - burst_share) * delayed + recent_share * recent;
}

AgeMasses History::masses(double from_gyr, double to_gyr) const {
  AgeMasses masses{};
  // Steps of 0.02 dex, a tenth of those between the ages of the table.
  constexpr double step = 1.0471285480508996;
  constexpr double first = 5e-4;
  for (double low = 0.0, high = first; low < start_gyr; low = high, high *= step) {
    const double from = std::max(low, from_gyr), to = std::min(high, to_gyr);
    if (from < to) add_stars(std::max(first, std::sqrt(from * to)), formed * smooth_share(from, to), masses);
  }
  if (burst_gyr >= from_gyr && burst_gyr < to_gyr) add_stars(burst_gyr, formed * burst_share, masses);
  return masses;
}

double decay_for_rate(double rate, double start) {
  double low = -4.0 / start, high = 60.0 / start;
  for (int i = 0; i < 50; ++i) {
    const double middle = 0.5 * (low + high);
    const double found = start * std::exp(-middle * start) / formed_by(middle, start);
    (found > rate ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

data::BinnedHistory binned(const History& history, double metallicity, double age_gyr) {
  data::BinnedHistory bins{data::provabgs_edges(age_gyr), {}, {}, history.burst_share, history.burst_gyr};
  for (size_t k = 0; k + 1 < bins.edges.size(); ++k) {
    bins.mass.push_back(history.smooth_share(bins.edges[k], bins.edges[k + 1]) / (1.0 - history.burst_share));
    bins.metallicity.push_back(metallicity);
  }
  return bins;
}

}  // namespace astroclip::simulation
