#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fits/wcs.h"

/// Observed images on the survey's grid (survey.h).
namespace astroclip::fits {

/// Share of a band's pixels that may be exactly 0, which marks what was not observed.
inline constexpr double zero_share_limit = 0.05;

/// The central 152×152 pixels of 0.262″, north up and east left, of planes [bands, height, width] in nanomaggies a
/// pixel of 0.262″: the source is read between its pixels by bilinear interpolation, and its values are not scaled.
/// Throws Error saying what is wrong when the source is smaller than the result, has pixels that are not finite within
/// it, or when more than 5 % of a band of the result are exactly 0.
std::vector<float> survey_cutout(std::span<const double> planes, int64_t height, int64_t width, const Wcs& wcs);

}  // namespace astroclip::fits
