#pragma once

#include <memory>
#include <string>
#include <utility>

#include "fits/sky_frame.h"

struct wcsprm;

namespace astroclip::fits {

/// A place in an image, as FITS counts: the centre of the first pixel is (1, 1).
struct Pixel {
  double x = 0.0, y = 0.0;
};

/// Where an image's pixels lie on the sky: the world coordinates of two axes of a FITS header, by wcslib.
class Wcs {
 public:
  /// From a header's cards of 80 characters, of the axes `first` (from 1) and the next. Every projection, rotation and
  /// distortion by a formula that wcslib knows is taken, in ICRS, FK5, FK4 (with or without the terms of aberration)
  /// and galactic coordinates. Throws Error saying what is wrong with others.
  static Wcs from_header(std::string cards, int first = 1);
  /// A tangent projection, north up and east left, of pixels of `scale` degrees, with `centre` at a pixel.
  static Wcs tangent(const SkyPosition& centre, const Pixel& at, double scale);

  /// Throw Error where the projection does not reach.
  SkyPosition position_of(const Pixel& pixel) const;
  Pixel pixel_of(const SkyPosition& position) const;

 private:
  Wcs(std::shared_ptr<wcsprm> parameters, const SkyFrame& frame) : parameters_(std::move(parameters)), frame_(frame) {}

  std::shared_ptr<wcsprm> parameters_;
  SkyFrame frame_;
};

}  // namespace astroclip::fits
