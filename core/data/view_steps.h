#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "data/sky_levels.h"
#include "pixels/geometry.h"
#include "pixels/stretch.h"
#include "tensor/shape.h"

namespace astroclip::data {

/// One object's field on its way into a view. Images are [planes, height, width]; a mask may be [height, width].
/// It refers to the dataset's values until a step changes them, and pixels are moved when values are asked for, so that
/// a crop copies, and a rotation before it interpolates, no more than the crop.
class ViewField {
 public:
  ViewField(const Shape& shape, std::span<const float> source) : shape_(shape), source_(source) {}

  const Shape& shape() const { return shape_; }
  std::span<const float> values();
  /// The values to be changed in place.
  std::span<float> editable();
  void replace(const Shape& shape, std::vector<float> values);
  /// A square of `size` pixels of an image.
  void crop(int64_t x0, int64_t y0, int64_t size);
  void move(const pixels::Motion& motion);

 private:
  void take(const pixels::Window& window);

  Shape shape_;
  std::span<const float> source_;
  std::vector<float> own_;  ///< empty: the source's
  std::optional<pixels::Motion> pending_;
};

/// One step of making a view of an object. `fields` has what the view is of first, then what goes with it (a mask,
/// inverse variances). A step that moves pixels moves those of all fields alike; one that changes fluxes changes the
/// first field alone. All randomness comes from `rng`.
using ViewStep = std::function<void(std::vector<ViewField>& fields, Rng& rng)>;

/// The step in a share of the views; none if there is no step or the share is 0. Draws one number unless the share
/// is 1.
ViewStep sometimes(double probability, ViewStep step);

/// The central square of `size` pixels.
ViewStep centre_crop(int64_t size);
/// A square of `size` pixels whose centre is up to `shift` pixels from the image's, along each axis and within the
/// image; −1: anywhere. Draws x, then y.
ViewStep random_crop(int64_t size, int64_t shift);
/// Columns, or rows, in reverse order.
ViewStep flip_x();
ViewStep flip_y();
/// One of the square's eight rotations and reflections. Draws one number.
ViewStep flip_rotate();
/// Turned by up to `degrees` either way. The first field is interpolated bilinearly if it is of fluxes; masks and
/// inverse variances take the nearest pixel. Draws one number.
ViewStep rotate(double degrees, bool is_flux);
/// Magnified by a factor between 1/`factor` and `factor`, uniform in its logarithm, as `rotate` does it. Surface
/// brightness is kept. Draws one number.
ViewStep size_jitter(double factor, bool is_flux);

/// What brings an image from one level to another: of each band a true and a final level are drawn, and
/// √(max(0, final² − true²)) is what is missing. Draws two normals for each band.
std::vector<double> draw_missing(std::span<const LogNormal> levels, Rng& rng);
/// Blurs each band by the Gaussian σ in pixels that is missing.
ViewStep blur(std::vector<LogNormal> widths);
/// Adds white noise of the level that is missing. Draws one normal for each pixel of a band that gets some.
ViewStep add_noise(std::vector<LogNormal> levels);
/// The same with noise that is correlated over neighbouring pixels: white noise blurred by a Gaussian of `correlation`
/// pixels, of unit variance on average.
ViewStep add_coloured_noise(std::vector<LogNormal> levels, double correlation);
/// Each plane becomes 0 with the probability `rate`, but for one, drawn at random, that stays. Draws one number and one
/// for each plane.
ViewStep channel_dropout(double rate);
/// Gaussian noise of `level` times the first field's scatter from pixel to pixel. Draws one normal for each value.
ViewStep add_relative_noise(double level);
/// An arcsinh stretch of the first field.
ViewStep stretched(const pixels::Stretch& stretch);

}  // namespace astroclip::data
