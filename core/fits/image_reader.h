#pragma once

#include <cstdint>
#include <vector>

#include "fits/wcs.h"
#include "io/fits.h"

/// Images in FITS files, on the survey's grid.
namespace astroclip::fits {

struct ObservedImage {
  std::vector<float> planes;  ///< [bands, 152, 152] nanomaggies
  SkyPosition position;       ///< of its centre
};

/// Images of more planes than bands that a survey may have are spectral cubes, and refused.
inline constexpr int64_t most_bands = 16;

bool has_image(const io::FitsFile& file);

/// The image of a file that has one: a cube [bands, height, width] with celestial world coordinates. Throws Error
/// naming the HDU and what is wrong with it.
ObservedImage read_image(const io::FitsFile& file);

}  // namespace astroclip::fits
