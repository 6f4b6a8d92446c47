#pragma once

#include <cstdint>
#include <span>

namespace astroclip::pixels {

/// Convolves a plane [height, width] in place with a Gaussian of `sigma` pixels, which is cut at ⌊4·sigma + ½⌋ pixels
/// and sums to 1: rows first, then columns, with sums in double and values rounded to float after each, as
/// scipy.ndimage.gaussian_filter does it. Beyond its borders the plane is mirrored (geometry.h).
void blur(std::span<float> plane, int64_t height, int64_t width, double sigma);

}  // namespace astroclip::pixels
