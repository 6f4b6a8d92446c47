#include "data/provabgs.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace astroclip::data {

namespace {

constexpr double recent_gyr = 1.0;
constexpr double least_metallicity = 4.49043431e-5, largest_metallicity = 4.49043431e-2;

constexpr size_t nodes = 50;
constexpr size_t rate_bases = 4;
// Lookback times in Gyr, then at each of them the rates of four bases and the metallicities of two.
constexpr double figures[] = {
#include "data/figures/provabgs_bases.inc"
};
static_assert(std::size(figures) == (1 + rate_bases + 2) * nodes);
constexpr std::span<const double> lookback(figures, nodes);

/// A basis, by its number from 0: linear between the nodes, and on beyond them.
double basis(size_t number, double t) {
  const double* values = figures + (1 + number) * nodes;
  const auto above =
      std::clamp<size_t>(static_cast<size_t>(std::ranges::upper_bound(lookback, t) - lookback.begin()), 1, nodes - 1);
  const double place = (t - lookback[above - 1]) / (lookback[above] - lookback[above - 1]);
  return values[above - 1] + place * (values[above] - values[above - 1]);
}

/// ∫ basis dt, exactly.
double integral(size_t number, double from, double to) {
  double sum = 0.0, low = from;
  const auto add = [&](double high) {
    sum += 0.5 * (high - low) * (basis(number, low) + basis(number, high));
    low = high;
  };
  for (const double node : lookback) {
    if (node > from && node < to) add(node);
  }
  add(to);
  return sum;
}

}  // namespace

double provabgs_age_gyr(double redshift) {
  constexpr double matter = 0.3090966, hubble_time = 977.7922 / 67.758744;
  const double ratio = std::sqrt((1.0 - matter) / matter) * std::pow(1.0 + redshift, -1.5);
  return hubble_time * 2.0 / (3.0 * std::sqrt(1.0 - matter)) * std::asinh(ratio);
}

std::vector<double> provabgs_edges(double age_gyr) {
  std::vector<double> edges = {0.0};
  for (int k = 0; k <= 40; ++k) edges.push_back(std::pow(10.0, 6.05 + 0.1 * k - 9.0));
  edges.push_back(13.8);
  std::erase_if(edges, [&](double edge) { return edge >= age_gyr; });
  edges.push_back(age_gyr);
  return edges;
}

BinnedHistory provabgs_history(std::span<const double, provabgs_parameters> theta, double age_gyr) {
  BinnedHistory history{provabgs_edges(age_gyr), {}, {}, theta[5], theta[6]};
  double total = 0.0;
  for (size_t k = 0; k + 1 < history.edges.size(); ++k) {
    const double low = history.edges[k], high = history.edges[k + 1], middle = 0.5 * (low + high);
    double mass = 0.0;
    for (size_t number = 0; number < rate_bases; ++number) mass += theta[1 + number] * integral(number, low, high);
    history.mass.push_back(mass);
    total += mass;
    const double metallicity = theta[7] * basis(rate_bases, middle) + theta[8] * basis(rate_bases + 1, middle);
    history.metallicity.push_back(std::clamp(metallicity, least_metallicity, largest_metallicity));
  }
  for (double& mass : history.mass) mass /= total;
  return history;
}

HistoryLabels provabgs_labels(const BinnedHistory& h) {
  // A burst before the galaxy is none.
  const double burst = h.burst_gyr <= h.edges.back() ? h.burst_share : 0.0;
  HistoryLabels labels{0.0, 0.0, 0.0};
  double recent = 0.0;
  for (size_t k = 0; k < h.mass.size(); ++k) {
    const double low = h.edges[k], high = h.edges[k + 1];
    const double mass = (1.0 - burst) * h.mass[k] + (h.burst_gyr >= low && h.burst_gyr < high ? burst : 0.0);
    labels.age += mass * 0.5 * (low + high);
    labels.metallicity += mass * h.metallicity[k];
    recent += h.mass[k] * std::clamp((recent_gyr - low) / (high - low), 0.0, 1.0);
  }
  labels.specific_rate = ((1.0 - burst) * recent + (h.burst_gyr < recent_gyr ? burst : 0.0)) / (recent_gyr * 1e9);
  return labels;
}

std::span<const StellarLabel> stellar_labels() {
  using Stars = StellarProperties;
  static constexpr StellarLabel labels[] = {
      {"log_mass", "log10 M☉", "stellar mass, of what has survived", [](const Stars& stars) { return stars.log_mass; }},
      {"age", "Gyr", "age of the stars, weighted by the mass formed", [](const Stars& stars) { return stars.age; }},
      {"metallicity", "log10 Z", "metallicity Z of the stars, weighted by the mass formed",
       [](const Stars& stars) { return std::log10(stars.metallicity); }},
      {"log_sfr", "log10 M☉/yr", "star-formation rate, the mean over the last Gyr",
       [](const Stars& stars) { return std::log10(stars.rate); }},
      {"log_ssfr", "log10 1/yr", "specific star-formation rate: that rate over the stellar mass",
       [](const Stars& stars) { return std::log10(stars.rate) - stars.log_mass; }},
      {"published_metallicity", "ln Z", "metallicity as AstroCLIP published it: its natural logarithm",
       [](const Stars& stars) { return std::log(stars.metallicity); }},
      {"published_ssfr", "ln M☉/yr", "what AstroCLIP published as sSFR: ln of rate over metallicity, not over mass",
       [](const Stars& stars) { return std::log(stars.rate) - std::log(stars.metallicity); }},
  };
  return labels;
}

}  // namespace astroclip::data
