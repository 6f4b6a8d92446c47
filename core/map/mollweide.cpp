#include "map/mollweide.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace astroclip::map {

std::array<double, 2> mollweide(double longitude, double latitude) {
  using std::numbers::pi, std::numbers::sqrt2;
  constexpr double degree = pi / 180.0, precision = 1e-12;
  constexpr int most_steps = 100;  // at the poles Newton's steps take a third of the error
  const double wanted = pi * std::sin(latitude * degree);
  double angle = latitude * degree * pi / 4.0;  // nearer to the equator than the solution, which is reached from there
  for (int i = 0; i < most_steps; ++i) {
    const double slope = 2.0 + 2.0 * std::cos(2.0 * angle);
    const double step = (2.0 * angle + std::sin(2.0 * angle) - wanted) / slope;
    if (!(std::abs(step) > precision)) break;
    angle = std::clamp(angle - step, -pi / 2.0, pi / 2.0);
  }
  return {2.0 * sqrt2 / pi * longitude * degree * std::cos(angle), sqrt2 * std::sin(angle)};
}

}  // namespace astroclip::map
