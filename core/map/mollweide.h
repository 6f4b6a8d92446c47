#pragma once

#include <array>

namespace astroclip::map {

/// The equal-area map of a sphere of radius 1 by Mollweide (Snyder 1987, USGS Professional Paper 1395, equations 31-1
/// to 31-3). Degrees; `longitude` from −180 to 180. The result lies within ±2√2 and ±√2; NaN gives NaN.
std::array<double, 2> mollweide(double longitude, double latitude);

}  // namespace astroclip::map
