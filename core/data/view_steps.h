#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "data/to_rgb.h"
#include "tensor/shape.h"

namespace astroclip::data {

/// One object's field on its way into a view. Images are [planes, height, width]; a mask may be [height, width].
struct ViewField {
  Shape shape;
  std::vector<float> values;
};

/// One step of making a view of an object. `fields` has what the view is of first, then what goes with it (a mask,
/// inverse variances): a step that moves pixels moves those of all fields alike. All randomness comes from `rng`.
using ViewStep = std::function<void(std::vector<ViewField>& fields, Rng& rng)>;

/// The central square of `size` pixels.
ViewStep centre_crop(int64_t size);
/// A square of `size` pixels whose centre is up to `shift` pixels from the image's, along each axis and within the
/// image. Draws x, then y.
ViewStep random_crop(int64_t size, int64_t shift);
/// One of the square's eight rotations and reflections. Draws one number.
ViewStep flip_rotate();
/// to_rgb of the first field.
ViewStep rgb(const RgbStretch& stretch);
/// Gaussian noise of `level` times the first field's scatter from pixel to pixel. Draws one normal for each value.
ViewStep add_noise(double level);

}  // namespace astroclip::data
