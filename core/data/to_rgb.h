#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace astroclip::data {

/// The arcsinh stretch of the Legacy Survey's viewer; the constants that AstroCLIP uses for the bands g, r, z.
struct RgbStretch {
  std::vector<double> scales = {6.0, 3.4, 2.2};  ///< s, one for each band
  double offset = 0.03;                          ///< m
  double stretch = 20.0;                         ///< Q
};

/// Fluxes [bands, pixels] become [bands, pixels] in [0, 1], bands in reverse order: I = mean of max(0, s·x + m) over
/// the bands; a plane is (s·x + m)·asinh(Q·I)/√Q/I, I = 1e-6 where it vanishes, clipped.
void to_rgb(std::span<const float> flux, const RgbStretch& stretch, std::span<float> rgb);

/// The square of `size` pixels whose corner is (x0, y0), of planes [height, width].
void crop(std::span<const float> planes, int64_t height, int64_t width, int64_t x0, int64_t y0, int64_t size,
          std::span<float> out);

/// The element (dihedral group of the square) numbered 0 to 7 applied in place: 4 rotations, times a flip.
void turn(std::span<float> planes, int64_t side, int64_t element);

}  // namespace astroclip::data
