#include "fits/image_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "fits/image_grid.h"

namespace astroclip::fits {

namespace {

const io::FitsHdu* find_cube(const io::FitsFile& file) {
  const auto cube =
      std::ranges::find_if(file.hdus(), [](const io::FitsHdu& hdu) { return !hdu.is_table && hdu.shape.rank() == 3; });
  return cube == file.hdus().end() ? nullptr : &*cube;
}

Wcs wcs_of(const io::FitsFile& file, const std::string& hdu) {
  const std::string cards = file.header(hdu);
  try {
    return Wcs::from_header(cards);
  } catch (const Error& error) {
    throw Error(fmt::format("HDU '{}': {}", hdu, error.what()));
  }
}

}  // namespace

bool has_image(const io::FitsFile& file) { return find_cube(file) != nullptr; }

ObservedImage read_image(const io::FitsFile& file) {
  const std::string& hdu = find_cube(file)->name;
  const Shape& shape = file.hdu(hdu).shape;
  if (shape[0] < 1 || shape[0] > most_bands) {
    throw Error(
        fmt::format("HDU '{}': expected an image of shape [bands, height, width] with at most {} bands, found {}", hdu,
                    most_bands, shape.str()));
  }
  const Wcs wcs = wcs_of(file, hdu);
  const int64_t height = shape[1], width = shape[2];
  ObservedImage image;
  image.planes = survey_cutout(file.image(hdu), height, width, wcs);
  image.position = wcs.position_of({0.5 * static_cast<double>(width + 1), 0.5 * static_cast<double>(height + 1)});
  return image;
}

}  // namespace astroclip::fits
