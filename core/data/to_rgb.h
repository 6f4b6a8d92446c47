#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace astroclip::data {

/// Constants of the stretch, as published.
inline constexpr std::array<double, 3> rgb_scales = {6.0, 3.4, 2.2};  ///< s of g, r, z
inline constexpr double rgb_offset = 0.03;                            ///< m
inline constexpr double rgb_stretch = 20.0;                           ///< Q

/// The arcsinh stretch of the Legacy Survey's viewer, as published: nanomaggies [3, height, width] with the planes
/// g, r, z become [3, height, width] in [0, 1] with the planes z, r, g: I = mean of max(0, s·x + m); a plane is (s·x +
/// m)·asinh(Q·I)/√Q/I, I = 1e-6 where it vanishes, clipped.
void to_rgb(std::span<const float> nanomaggies, int64_t pixels, std::span<float> rgb);

/// The square of `size` pixels whose corner is (x0, y0), of planes of side `side`.
void crop(std::span<const float> planes, int64_t side, int64_t x0, int64_t y0, int64_t size, std::span<float> out);

/// The element (dihedral group of the square) numbered 0 to 7 applied in place: 4 rotations, times a flip.
void turn(std::span<float> planes, int64_t side, int64_t element);

}  // namespace astroclip::data
