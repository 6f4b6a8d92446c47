#pragma once

#include <span>
#include <string>

#include "api/dataset.h"

namespace astroclip::data {

/// What an augmented view of an image does.
struct ImageAugmentation {
  bool turns = true;   ///< one of the square's eight rotations and reflections
  int64_t jitter = 4;  ///< pixels by which a crop of the encoder's size misses the centre, at most
};

/// A view of a survey image (nanomaggies [3, 152, 152], axes (band, y, x)) as the image encoder takes it: the centre,
/// or, augmented, near it and turned; a crop of a size of its own lies anywhere. Through to_rgb. Throws Error, which
/// begins with `where`, when there is no such crop.
void make_image_view(const ViewRequest& view, std::span<const float> raw, const Shape& view_shape,
                     const ImageAugmentation& augmentation, const std::string& where, Rng& rng, std::span<float> out);

}  // namespace astroclip::data
