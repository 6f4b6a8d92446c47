#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fits/flux_units.h"
#include "fits/image_grid.h"
#include "fits/wcs.h"
#include "io/fits.h"

/// What FITS files hold of images, plane by plane.
namespace astroclip::fits {

/// Images of more planes than bands that a survey may have are spectral cubes, and refused.
inline constexpr int64_t most_bands = 16;

/// Two axes of an HDU's image.
struct ImagePlane {
  enum class Role { image, inverse_variance, mask };

  std::string file;
  size_t hdu = 0;     ///< from 0
  std::string place;  ///< "HDU 'IMAGE'"
  Role role = Role::image;
  std::string band;        ///< "" where no word says it
  std::string band_words;  ///< that say the band, as "BANDS"
  int64_t height = 0, width = 0;
  int64_t planes = 1;          ///< of the HDU
  std::optional<Wcs> wcs;      ///< none where the header has no place on the sky
  ImageUnit unit;              ///< of an image
  std::vector<int64_t> first;  ///< of its axes, slowest first, where the plane begins
  size_t x_axis = 0, y_axis = 0;
  int64_t tile_height = 1;
  /// Bits of a mask that take a pixel out; all by default.
  int64_t bad_bits = -1;

  /// Part of the plane, [height, width].
  std::vector<double> read(const io::FitsFile& file, const PixelWindow& window) const;
};

struct ImagePlanes {
  std::vector<ImagePlane> planes;
  std::vector<std::string> left_out;  ///< HDUs with images of something else, as "HDU 'PSF'"
};

/// Whether a file has an image of more than 16 by 16 pixels.
bool has_image(const io::FitsFile& file);

/// The images, inverse variances and masks of a file. What an HDU is of is told by its EXTNAME (IMAGE, INVVAR, IVAR,
/// WEIGHT, MASK, DQ …), by IMTYPE or IMAGETYP, or by the file's name; its bands by BANDS and BANDn, BAND, FILTER,
/// EXTNAME or the file's name. HDUs without a word are images, unless there is a cube: planes by themselves are then
/// left out. Bands may be the slowest axis or the fastest. Throws Error naming the HDU and the word that cannot be
/// obeyed.
ImagePlanes image_planes(const io::FitsFile& file);

}  // namespace astroclip::fits
