#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Observed images on the survey's grid (survey.h).
namespace astroclip::fits {

/// A position on the sky, in degrees.
struct SkyPosition {
  double ra = 0.0, dec = 0.0;
};

/// Degrees between two positions.
double separation(const SkyPosition& a, const SkyPosition& b);

/// A tangent projection, as in a FITS header: pixels count from 1, and (x, y) − (reference_x, reference_y) times
/// `cd` gives degrees to the east and to the north of the reference position.
struct TangentPlane {
  SkyPosition reference;
  double reference_x = 0.0, reference_y = 0.0;
  double cd[2][2] = {};

  SkyPosition position_of(double x, double y) const;
};

/// Share of a band's pixels that may be exactly 0, which marks what was not observed.
inline constexpr double zero_share_limit = 0.05;

/// The central 152×152 pixels of 0.262″, north up and east left, of planes [3, height, width] in nanomaggies a pixel
/// of 0.262″: the source is read between its pixels by bilinear interpolation, and its values are not scaled. Throws
/// Error saying what is wrong when the source is smaller than the result, has pixels that are not finite within it,
/// or when more than 5 % of a band of the result are exactly 0.
std::vector<float> survey_cutout(std::span<const double> planes, int64_t height, int64_t width,
                                 const TangentPlane& projection);

}  // namespace astroclip::fits
