#pragma once

#include <cstdint>
#include <string_view>

#include "data/layouts/paired_file.h"

/// Constants of the observed grid, as published.
namespace astroclip::data {

/// DESI's coadd grid: vacuum wavelengths in Å, 3600 to 9824.
inline constexpr int64_t spectrum_pixels = paired_pixels;
inline constexpr double first_wavelength = 3600.0;
inline constexpr double wavelength_step = 0.8;
constexpr double wavelength_of(int64_t pixel) {
  return first_wavelength + wavelength_step * static_cast<double>(pixel);
}

inline constexpr int64_t image_side = paired_image_side;
/// Bands of the published images, in the order of the layout.
inline constexpr std::string_view published_bands = "grz";
/// Seconds of arc in a pixel.
inline constexpr double pixel_scale = 0.262;
/// Of an image that counts as observed at most this share of a band's pixels are 0 or were not measured.
inline constexpr double zero_share_limit = 0.05;
/// The AB magnitude of one nanomaggy.
inline constexpr double zero_point = 22.5;

}  // namespace astroclip::data
