#pragma once

#include <cstdint>
#include <span>

/// Operations on images on the host: planes [height, width] one after another, in any number.
namespace astroclip::pixels {

/// A part of a plane: `height` rows from y0 on, of `width` columns from x0 on.
struct Window {
  int64_t x0 = 0, y0 = 0, height = 0, width = 0;
};

/// The window of planes [height, width].
void crop(std::span<const float> planes, int64_t height, int64_t width, const Window& window, std::span<float> out);

/// The element (dihedral group of the square) numbered 0 to 7 applied in place: 4 rotations, times a flip.
void turn(std::span<float> planes, int64_t side, int64_t element);

/// Mirrors in place: columns, or rows, in reverse order.
void flip_columns(std::span<float> planes, int64_t width);
void flip_rows(std::span<float> planes, int64_t height, int64_t width);

enum class Interpolation { bilinear, nearest };

/// A rotation by `angle` (radians, from the x axis to the y axis) about the centre of an image, and a magnification
/// there.
struct Motion {
  double angle = 0.0, magnification = 1.0;
  Interpolation interpolation = Interpolation::bilinear;
};

/// The window of the moved planes [height, width]. A value keeps its size, as a surface brightness does. Beyond its
/// borders an image is mirrored: d c b a | a b c d | d c b a.
void rotate_and_zoom(std::span<const float> planes, int64_t height, int64_t width, const Motion& motion,
                     const Window& window, std::span<float> out);

/// The pixel that stands at `index` of an axis of `size` pixels, mirrored beyond its borders as above.
int64_t mirrored(int64_t index, int64_t size);

}  // namespace astroclip::pixels
