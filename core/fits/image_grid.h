#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fits/wcs.h"

/// Observed images on the survey's grid (survey.h).
namespace astroclip::fits {

/// Pixels of an image, from 0.
struct PixelWindow {
  int64_t x = 0, y = 0, width = 0, height = 0;
};

/// What an image's values are of, and so what a pixel of another size has.
enum class PixelValues {
  flux,             ///< the flux that falls in a pixel: its sum is kept
  mean_brightness,  ///< surface brightness, averaged over a pixel: so it is over larger ones
  brightness,       ///< surface brightness between the pixels: interpolated
};

/// Where the pixels of a survey image (152×152 of 0.262″, north up and east left) lie in a source. A source on such
/// pixels, to a quarter of one over the image, is cut and not resampled; the image's centre is then up to half a pixel
/// from the place asked for.
class Sampling {
 public:
  Sampling(const Wcs& source, const SkyPosition& centre);

  SkyPosition centre() const { return centre_; }
  bool is_cut() const { return is_cut_; }
  /// Seconds of arc in a pixel of the source.
  double source_scale() const;
  /// The pixels that the image is made of, of a source of that size.
  PixelWindow window(int64_t width, int64_t height) const;
  /// How many pixels of a source of that size lie around the image; negative: it does not hold it.
  double margin(int64_t width, int64_t height) const;
  /// The image [152, 152] of the window's pixels, of which only those with `measured` (all, where it is empty) count. A
  /// pixel of the image of which less than half is measured is 0.
  std::vector<float> apply(std::span<const double> pixels, std::span<const uint8_t> measured, const PixelWindow& window,
                           PixelValues values) const;

 private:
  Pixel at(int64_t x, int64_t y) const;

  SkyPosition centre_;
  bool is_cut_ = false;
  int64_t step_ = 8;  ///< of the lattice, in pixels of the image
  /// Places in the source, from 0, of the image's pixels at steps from its first to the one after its last, in both
  /// axes; lines between them are straight.
  std::vector<Pixel> lattice_;
  double area_ = 1.0;  ///< of a pixel of the image, at its centre, in pixels of the source
};

/// Throws Error naming the band unless its pixels are finite, differ, and at most 5 % are exactly 0.
void check_band(std::span<const float> band, const std::string& name);

}  // namespace astroclip::fits
