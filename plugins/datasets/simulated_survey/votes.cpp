#include "votes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/survey.h"

namespace astroclip::simulation {

namespace {

using Probabilities = std::vector<double>;

/// Multinomial votes with these probabilities, up to a factor.
std::vector<int64_t> ask(int64_t volunteers, const Probabilities& probabilities, Rng& rng) {
  std::vector<int64_t> votes(probabilities.size());
  const double total = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (int64_t v = 0; v < volunteers; ++v) {
    double left = rng.uniform() * total;
    size_t answer = 0;
    while (answer + 1 < probabilities.size() && left >= probabilities[answer]) left -= probabilities[answer++];
    ++votes[answer];
  }
  return votes;
}

/// What those see who see the structure, mixed with what the others answer.
Probabilities mixed(double visible, const Probabilities& seen, const Probabilities& unseen) {
  Probabilities mixture(seen.size());
  for (size_t i = 0; i < seen.size(); ++i) mixture[i] = visible * seen[i] + (1.0 - visible) * unseen[i];
  return mixture;
}

/// Most votes for one of several answers in an order, some for those beside it.
Probabilities near(double place, size_t answers, double width) {
  Probabilities probabilities(answers);
  for (size_t i = 0; i < answers; ++i) {
    const double t = (static_cast<double>(i) - place) / width;
    probabilities[i] = std::exp(-0.5 * t * t) + 0.01;
  }
  const double total = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& p : probabilities) p /= total;
  return probabilities;
}

Probabilities arm_count(const Structure& s) {
  const size_t place = s.arms > 4 ? 4 : static_cast<size_t>(std::max(s.arms, 1) - 1);
  Probabilities probabilities = near(static_cast<double>(place), 5, 0.5);
  for (double& p : probabilities) p *= 0.9;
  probabilities.push_back(0.1);
  return probabilities;
}

}  // namespace

double visibility(const Galaxy& galaxy, double flux, const Seeing& seeing) {
  constexpr size_t r = 1;
  const double fwhm = 2.355 * seeing.psf[r] * data::pixel_scale;
  const double radius = galaxy.disc.radius, pixels = radius / data::pixel_scale;
  const double area = std::numbers::pi * pixels * pixels * galaxy.disc.axis_ratio + 4.0;
  const double signal = 0.5 * flux / (std::max(seeing.noise[r], 1e-6) * std::sqrt(area));
  const auto logistic = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  return logistic(2.5 * std::log2(radius / (2.0 * fwhm))) * logistic(2.0 * std::log(signal / 15.0));
}

std::vector<std::vector<int64_t>> draw_votes(const Galaxy& galaxy, double visibility, Rng rng) {
  const Structure& s = galaxy.structure;
  const double ratio = galaxy.disc.axis_ratio;
  const int64_t volunteers = rng.uniform() < 0.2 ? 5 : 36 + rng.below(9);

  const bool has_features = s.arms > 0 || s.bar_strength > 0.0 || s.ring_strength > 0.0 || ratio < 0.35;
  const double features = galaxy.elliptical ? 0.05 : (has_features ? 0.95 : 0.35);
  const auto smooth = ask(volunteers, mixed(visibility, {1.0 - features, features, 0.02}, {0.93, 0.05, 0.02}), rng);
  // Discs look as if on edge below an axis ratio of about 0.3.
  const double edge = 1.0 / (1.0 + std::exp((ratio - 0.30) / 0.03));
  const auto edge_on = ask(smooth[1], {edge, 1.0 - edge + 0.01}, rng);
  const double arms = s.arms > 0 ? std::min(1.0, 0.5 + s.arm_strength) : 0.05;
  const auto spiral = ask(edge_on[1], mixed(visibility, {arms, 1.0 - arms}, {0.1, 0.9}), rng);
  const Probabilities bar = s.bar_strength > 1.1   ? Probabilities{0.75, 0.2, 0.05}
                            : s.bar_strength > 0.0 ? Probabilities{0.15, 0.6, 0.25}
                                                   : Probabilities{0.02, 0.13, 0.85};
  const auto bars = ask(edge_on[1], mixed(visibility, bar, {0.02, 0.13, 0.85}), rng);
  const double bulge = std::clamp(4.0 - 5.0 * galaxy.bulge_share, 0.0, 4.0);
  const auto bulges = ask(edge_on[1], mixed(visibility, near(bulge, 5, 0.6), near(2.5, 5, 0.8)), rng);
  // Seeing rounds what is small.
  const double seen_ratio = ratio + (1.0 - ratio) * (1.0 - visibility) * 0.5;
  const auto rounded = ask(smooth[0], near(2.0 - 2.4 * std::clamp(seen_ratio - 0.15, 0.0, 0.85), 3, 0.45), rng);
  const double swelling = std::clamp(3.0 * galaxy.bulge_share, 0.0, 0.9);
  const auto edge_bulge = ask(edge_on[0], mixed(visibility, {0.08, 0.92 - swelling, swelling}, {0.05, 0.6, 0.35}), rng);
  const double winding = std::clamp((s.pitch * 180.0 / std::numbers::pi - 12.0) / 9.0, 0.0, 2.0);
  const auto windings = ask(spiral[0], mixed(visibility, near(winding, 3, 0.45), {0.4, 0.4, 0.2}), rng);
  const auto counts = ask(spiral[0], mixed(visibility, arm_count(s), {0.05, 0.4, 0.05, 0.02, 0.03, 0.45}), rng);
  const auto merging = ask(smooth[0] + smooth[1],
                           mixed(s.merging == Merging::merger ? std::sqrt(visibility) : visibility,
                                 near(static_cast<double>(s.merging), 4, 0.4), {0.92, 0.04, 0.01, 0.03}),
                           rng);
  return {smooth, edge_on, spiral, bars, bulges, rounded, edge_bulge, windings, counts, merging};
}

}  // namespace astroclip::simulation
