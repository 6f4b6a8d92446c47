#pragma once

#include <vector>

#include "data/galaxy_zoo.h"
#include "galaxy.h"
#include "image.h"

namespace astroclip::simulation {

/// How well structure can be seen, from 0 to 1: a logistic in the logarithms of size over seeing and of the signal to
/// noise within the half-light ellipse, in r. Half can be seen at twice the seeing's FWHM.
double visibility(const Galaxy& galaxy, double flux, const Seeing& seeing);

/// Votes by question of data::galaxy_zoo_decals and answer: about 40 volunteers, for one of five galaxies only 5.
/// Whoever does not see the structure answers as for a smooth galaxy without any. A question is put to those whose
/// answer before leads to it.
std::vector<std::vector<int64_t>> draw_votes(const Galaxy& galaxy, double visibility, Rng rng);

}  // namespace astroclip::simulation
