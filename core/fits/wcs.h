#pragma once

#include <memory>
#include <string>

struct wcsprm;

namespace astroclip::fits {

/// A position on the sky, in degrees (ICRS).
struct SkyPosition {
  double ra = 0.0, dec = 0.0;
};

/// Degrees between two positions.
double separation(const SkyPosition& a, const SkyPosition& b);

/// A place in an image, as FITS counts: the centre of the first pixel is (1, 1).
struct Pixel {
  double x = 0.0, y = 0.0;
};

/// Where an image's pixels lie on the sky: the world coordinates of a FITS header's first two axes, by wcslib.
class Wcs {
 public:
  /// From a header's cards of 80 characters. Every projection, rotation and distortion that wcslib knows is taken, in
  /// equatorial coordinates (ICRS, or FK5 of J2000) or galactic ones. Throws Error saying what is wrong with others.
  static Wcs from_header(std::string cards);
  /// A tangent projection, north up and east left, of pixels of `scale` degrees, with `centre` at a pixel.
  static Wcs tangent(const SkyPosition& centre, const Pixel& at, double scale);

  /// Throw Error where the projection does not reach.
  SkyPosition position_of(const Pixel& pixel) const;
  Pixel pixel_of(const SkyPosition& position) const;

 private:
  std::shared_ptr<wcsprm> parameters_;
};

}  // namespace astroclip::fits
