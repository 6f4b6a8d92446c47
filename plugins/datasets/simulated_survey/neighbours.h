#pragma once

#include <span>
#include <vector>

#include "bands.h"
#include "structure.h"

namespace astroclip::simulation {

/// An object that happens to lie beside a galaxy.
struct Neighbour {
  std::array<double, 2> place{};  ///< (x, y), pixels of the stamp
  BandFluxes fluxes{};            ///< nanomaggies
  Profile profile;                ///< of radius 0 for stars
};
/// Galaxies and stars that fall into a stamp by chance: 10^(0.4 m) and 10^(0.15 m) of them per magnitude, 10,000
/// galaxies brighter than r = 22 and 2,500 stars brighter than 21 per square degree (survey.md). They have nothing to
/// do with the galaxy.
std::vector<Neighbour> draw_neighbours(Rng& rng);

/// Adds a neighbour's light in a band, before the seeing, to a stamp [y, x].
void add_neighbour(const Neighbour& neighbour, int64_t band, std::span<float> stamp);

/// What a pipeline left in the image of a band: now and then the track of a cosmic ray, or a dead column.
void add_defects(std::span<float> stamp, Rng& rng);

}  // namespace astroclip::simulation
