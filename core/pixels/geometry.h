#pragma once

#include <cstdint>
#include <span>

/// Operations on images on the host: planes [height, width] one after another, in any number.
namespace astroclip::pixels {

/// The square of `size` pixels whose corner is (x0, y0), of planes [height, width].
void crop(std::span<const float> planes, int64_t height, int64_t width, int64_t x0, int64_t y0, int64_t size,
          std::span<float> out);

/// The element (dihedral group of the square) numbered 0 to 7 applied in place: 4 rotations, times a flip.
void turn(std::span<float> planes, int64_t side, int64_t element);

/// Mirrors in place: columns, or rows, in reverse order.
void flip_columns(std::span<float> planes, int64_t width);
void flip_rows(std::span<float> planes, int64_t height, int64_t width);

enum class Interpolation { bilinear, nearest };

/// The planes [height, width] turned by `angle` (radians, from the x axis to the y axis) about their centre and
/// magnified there. A value keeps its size, as a surface brightness does. Beyond its borders an image is mirrored:
/// d c b a | a b c d | d c b a.
void rotate_and_zoom(std::span<const float> planes, int64_t height, int64_t width, double angle, double magnification,
                     Interpolation interpolation, std::span<float> out);

/// The pixel that stands at `index` of an axis of `size` pixels, mirrored beyond its borders as above.
int64_t mirrored(int64_t index, int64_t size);

}  // namespace astroclip::pixels
