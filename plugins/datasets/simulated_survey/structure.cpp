#include "structure.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace astroclip::simulation {

namespace {

constexpr double turn = 2.0 * std::numbers::pi;

int draw_arms(Rng& rng) {
  // The shares among spirals of Galaxy Zoo 2, rounded (Willett et al. 2013; Hart et al. 2016).
  const double u = rng.uniform();
  return u < 0.06 ? 1 : (u < 0.68 ? 2 : (u < 0.84 ? 3 : (u < 0.92 ? 4 : 6)));
}

}  // namespace

Structure::Pattern Structure::at(double x, double y) const {
  const double radius = std::hypot(x, y);
  Pattern pattern{1.0, 1.0};
  if (arms > 0 && radius > 1e-3) {
    const double wave = std::cos(arms * (std::atan2(y, x) - std::log(radius) / std::tan(pitch)) - arm_phase);
    // Arms begin where the bulge ends.
    const double fade = radius * radius / (radius * radius + 0.1);
    pattern.old += 0.5 * arm_strength * fade * wave;
    pattern.young = (1.0 - fade * arm_strength) + fade * arm_strength * 2.5 * std::exp(2.0 * (wave - 1.0));
  }
  if (ring_strength > 0.0) {
    const double t = (radius - ring_radius) / 0.13;
    const double ring = ring_strength * std::exp(-0.5 * t * t);
    pattern.old += 0.5 * ring, pattern.young += 3.0 * ring;
  }
  if (bar_strength > 0.0) {
    const double along = (x * std::cos(bar_angle) + y * std::sin(bar_angle)) / bar_length;
    const double across = (y * std::cos(bar_angle) - x * std::sin(bar_angle)) / (0.28 * bar_length);
    pattern.old += bar_strength * std::exp(-std::pow(along * along + across * across, 2));
  }
  const double lean =
      std::clamp(1.0 + lopsidedness * (x * std::cos(lopsided_angle) + y * std::sin(lopsided_angle)), 0.1, 3.0);
  return {pattern.old * lean, pattern.young * lean};
}

Structure draw_structure(bool quiet, double bulge_share, Rng& rng) {
  Structure s;
  if (rng.uniform() < (quiet ? 0.12 : 0.75)) {
    s.arms = draw_arms(rng);
    s.pitch = std::clamp(22.0 - 18.0 * (bulge_share - 0.25) + 7.0 * rng.normal(), 6.0, 45.0) * std::numbers::pi / 180.0;
    s.arm_strength = rng.uniform(0.35, 0.9) * (quiet ? 0.5 : 1.0);
    s.arm_phase = rng.uniform(0.0, turn);
  }
  const double bar = rng.uniform();
  if (bar < 0.436) {
    s.bar_strength = bar < 0.155 ? rng.uniform(1.2, 3.0) : rng.uniform(0.3, 1.0);
    s.bar_length = rng.uniform(0.4, 0.9);
    s.bar_angle = rng.uniform(0.0, turn);
  }
  if (rng.uniform() < 0.12) {
    s.ring_strength = rng.uniform(0.3, 1.0);
    s.ring_radius = rng.uniform(0.9, 1.6);
  }
  for (int64_t left = quiet ? 0 : rng.below(9); left > 0; --left) {
    const double radius = rng.uniform(0.3, 1.8), angle = rng.uniform(0.0, turn);
    s.clumps.push_back({radius * std::cos(angle), radius * std::sin(angle), rng.uniform(0.01, 0.06)});
  }
  const double merging = rng.uniform();
  s.lopsided_angle = rng.uniform(0.0, turn);
  s.lopsidedness = std::abs(0.13 * rng.normal());
  if (merging < 0.10) {
    s.merging = merging < 0.05   ? Merging::minor_disturbance
                : merging < 0.07 ? Merging::major_disturbance
                                 : Merging::merger;
    s.lopsidedness = s.merging == Merging::minor_disturbance ? rng.uniform(0.3, 0.45) : rng.uniform(0.45, 0.8);
  }
  if (s.merging == Merging::merger) {
    const double distance = rng.uniform(1.2, 3.0), angle = rng.uniform(0.0, turn);
    s.companion_share = rng.uniform(0.15, 0.45);
    s.companion = {distance * std::cos(angle), distance * std::sin(angle)};
  }
  return s;
}

}  // namespace astroclip::simulation
