#pragma once

#include <span>
#include <string>

#include "api/dataset.h"

namespace astroclip::data {

/// A view of a survey image (nanomaggies [3, 152, 152], axes (band, y, x)) as the image encoder takes it: the centre,
/// or, augmented with `turns`, a random place and one of the square's eight rotations and reflections; through to_rgb.
/// Throws Error, which begins with `where`, when there is no such crop.
void make_image_view(const ViewRequest& view, std::span<const float> raw, const Shape& view_shape, bool turns,
                     const std::string& where, Rng& rng, std::span<float> out);

/// How plain views are made: units and constants, for Dataset::preprocessing.
config::Table image_preprocessing();

}  // namespace astroclip::data
