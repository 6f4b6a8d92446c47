#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "api/dataset.h"
#include "pixels/stretch.h"

namespace astroclip::evaluate {

/// The bands of red, green and blue, bluest first, and how they are stretched.
struct Colours {
  std::vector<int64_t> bands;
  pixels::Stretch stretch;
};
/// As the dataset's views if these are RGB, else each band by the brightness of `first`, an image of the field.
Colours colours_of(const Dataset& dataset, const Field& field, std::span<const float> first);

/// The middle of an image of this shape [bands, height, width] as red, green and blue [3, side, side] from 0 to 1,
/// whose pixels are means of step × step ones. Side · step is at most height and width.
std::vector<float> picture_of(std::span<const float> image, const Shape& shape, const Colours& colours, int64_t side,
                              int64_t step);

/// Means of so many neighbouring values, of those that are finite; NaN where none is.
std::vector<float> binned(std::span<const float> values, int64_t together);

}  // namespace astroclip::evaluate
