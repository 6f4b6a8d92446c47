#pragma once

#include <array>
#include <vector>

#include "base/rng.h"

namespace astroclip::simulation {

/// How light lies on the sky: a Sérsic profile with elliptical isophotes.
struct Profile {
  double sersic_index = 1.0;
  double radius = 1.0;  ///< half-light radius along the major axis, arcsec
  double axis_ratio = 1.0;
  double position_angle = 0.0;  ///< of the major axis, radians from x towards y
};

enum class Merging { none, minor_disturbance, major_disturbance, merger };

/// What is to be seen in a disc. Lengths are in half-light radii of the disc, angles in its plane.
struct Structure {
  int arms = 0;        ///< 0: none
  double pitch = 0.3;  ///< of the arms, radians: small ones are wound tightly
  double arm_strength = 0.0, arm_phase = 0.0;
  double bar_strength = 0.0;  ///< of the disc's surface brightness
  double bar_length = 0.5, bar_angle = 0.0;
  double ring_strength = 0.0, ring_radius = 1.2;
  struct Clump {
    double x, y, share;  ///< share of the young stars' light
  };
  std::vector<Clump> clumps = {};
  Merging merging = Merging::none;
  double lopsidedness = 0.0, lopsided_angle = 0.0;
  /// A companion of the galaxy's colours, in a merger: its share of the galaxy's light, and where it is.
  double companion_share = 0.0;
  std::array<double, 2> companion = {};

  /// Factors on the surface brightness of the older and of the young stars of the disc.
  struct Pattern {
    double old, young;
  };
  Pattern at(double x, double y) const;
};

/// Draws what a disc shows. Arms are wound more tightly about larger bulges (Kennicutt 1981); 15.5 % of discs have a
/// strong bar and 28.1 % a weak one (Géron et al. 2021); half are lopsided by more than 0.11, one of five by more than
/// 0.19, at 0.9 to 1.5 half-light radii (Rudnick & Rix 1998); 3 % of galaxies are merging (Darg et al. 2010). `quiet`:
/// form few stars, and so have few arms.
Structure draw_structure(bool quiet, double bulge_share, Rng& rng);

}  // namespace astroclip::simulation
