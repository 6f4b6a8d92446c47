#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "data/to_rgb.h"
#include "tensor/shape.h"

namespace astroclip::data {

/// One object's field on its way into a view. Images are [planes, height, width]; a mask may be [height, width].
/// It refers to the dataset's values until a step changes them, so that a crop copies no more than the crop.
class ViewField {
 public:
  ViewField(const Shape& shape, std::span<const float> source) : shape_(shape), source_(source) {}

  const Shape& shape() const { return shape_; }
  std::span<const float> values() const { return own_.empty() ? source_ : std::span<const float>(own_); }
  /// The values to be changed in place.
  std::span<float> editable() {
    if (own_.empty()) own_.assign(source_.begin(), source_.end());
    return own_;
  }
  void replace(const Shape& shape, std::vector<float> values) {
    shape_ = shape;
    own_ = std::move(values);
  }

 private:
  Shape shape_;
  std::span<const float> source_;
  std::vector<float> own_;  ///< empty: the source's
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
