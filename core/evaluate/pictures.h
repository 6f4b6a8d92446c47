#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "pixels/stretch.h"

namespace astroclip::evaluate {

inline constexpr int image_axes = 3;  ///< [bands, height, width]

/// Vacuum wavelengths of a spectrum's pixels in Å, evenly spaced.
struct WavelengthGrid {
  double first = 0.0, step = 0.0;
  double at(double pixel) const { return first + step * pixel; }
};

/// The measurements of a dataset that can be shown, by their shape, in the order of its fields.
struct ShownFields {
  struct Spectrum {
    Field field;  ///< [pixels]
    WavelengthGrid wavelengths;
  };
  std::vector<Field> images;  ///< [bands, height, width]
  std::vector<Spectrum> spectra;
};
/// Those of these modalities, and of others of which the dataset's preprocessing tells: a field beside them (a mask, an
/// inverse variance) is no measurement.
/// A field of one axis is a spectrum where its table of the preprocessing has the numbers `first_wavelength` and
/// `wavelength_step`; throws Error when the step is not above 0.
ShownFields shown_fields(const Dataset& dataset, const std::set<std::string>& modalities);

/// The bands of red, green and blue, bluest first, and how they are stretched.
struct Colours {
  std::vector<int64_t> bands;
  pixels::Stretch stretch;
};
/// Of a field of images: g, r and z where its bands have these names, else the first band, the middle one and the last.
/// They are stretched as the dataset stretches its views, or as published where the fluxes are nanomaggies in g, r and
/// z; else each by its brightness in `examples`, images of the field one after another.
Colours colours_of(const Dataset& dataset, const Field& field, std::span<const float> examples);

/// The middle of an image of this shape [bands, height, width] as red, green and blue [3, side, side] from 0 to 1,
/// whose pixels are means of step × step ones. Side · step is at most height and width.
std::vector<float> picture_of(std::span<const float> image, const Shape& shape, const Colours& colours, int64_t side,
                              int64_t step);

/// Means of so many neighbouring values, of those that are finite; NaN where none is.
std::vector<float> binned(std::span<const float> values, int64_t together);

}  // namespace astroclip::evaluate
