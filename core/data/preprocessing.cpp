#include "data/preprocessing.h"

#include "data/survey.h"
#include "data/to_rgb.h"

namespace astroclip::data {

config::Table image_preprocessing() {
  config::Array scales;
  for (const double scale : rgb_scales) scales.emplace_back(scale, config::Location{});
  config::Table image;
  image.set("unit", {std::string("nanomaggies"), {}});
  image.set("bands", {std::string(band_names.begin(), band_names.end()), {}});
  image.set("pixel_scale", {pixel_scale, {}});
  image.set("to_rgb_scales", {scales, {}});
  image.set("to_rgb_m", {rgb_offset, {}});
  image.set("to_rgb_q", {rgb_stretch, {}});
  image.set("planes", {std::string(band_names.rbegin(), band_names.rend()), {}});
  image.set("crop", {std::string("centre"), {}});
  return image;
}

config::Table spectrum_preprocessing() {
  config::Table spectrum;
  spectrum.set("unit", {std::string("1e-17 erg/s/cm²/Å"), {}});
  spectrum.set("first_wavelength", {first_wavelength, {}});
  spectrum.set("wavelength_step", {wavelength_step, {}});
  return spectrum;
}

config::Table published_preprocessing() {
  config::Table all;
  all.set("image", {image_preprocessing(), {}});
  all.set("spectrum", {spectrum_preprocessing(), {}});
  return all;
}

}  // namespace astroclip::data
