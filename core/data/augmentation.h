#pragma once

#include <cstdint>

#include "config/schema.h"

namespace astroclip::data {

/// How augmented views for an encoder are made: [augmentation.ENCODER] of an experiment file.
struct Augmentation {
  bool flip_rotate = true;  ///< images: one of the square's eight rotations and reflections
  int64_t shift = 4;        ///< images: pixels between the centre of a crop and that of the image, at most
  double noise = 0.0;       ///< spectra: added Gaussian noise, in units of the spectrum's pixel-to-pixel scatter
};

const config::Schema<Augmentation>& augmentation_schema();

}  // namespace astroclip::data
