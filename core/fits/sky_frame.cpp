#include "fits/sky_frame.h"

#include <array>
#include <cmath>
#include <numbers>

#include "search/sky.h"

namespace astroclip::fits {

namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

constexpr double radians = std::numbers::pi / 180.0, arcsec = radians / 3600.0;
constexpr double j2000 = 2451545.0, b1950 = 2433282.42345905, tropical_year = 365.242198781;  // days

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result = {};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 3; ++k) result[i][j] += a[i][k] * b[k][j];
    }
  }
  return result;
}

Matrix transposed(const Matrix& a) {
  Matrix result;
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) result[i][j] = a[j][i];
  }
  return result;
}

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vector product(const Matrix& a, const Vector& v) { return {dot(a[0], v), dot(a[1], v), dot(a[2], v)}; }

/// Of the frame by an angle about an axis: 0 is x.
Matrix rotation(size_t axis, double angle) {
  const size_t next = (axis + 1) % 3, last = (axis + 2) % 3;
  Matrix result = {};
  result[axis][axis] = 1.0;
  result[next][next] = result[last][last] = std::cos(angle);
  result[next][last] = std::sin(angle);
  result[last][next] = -std::sin(angle);
  return result;
}

Matrix by_angles(double zeta, double z, double theta) {
  return product(rotation(2, -z * arcsec), product(rotation(1, theta * arcsec), rotation(2, -zeta * arcsec)));
}

/// From FK5 of J2000 to ICRS (Kaplan 2005, USNO Circular 179, section 3.5).
Matrix fk5_to_icrs() {
  return transposed(
      product(rotation(0, 19.9e-3 * arcsec), product(rotation(1, 9.1e-3 * arcsec), rotation(2, -22.9e-3 * arcsec))));
}

/// From the mean equator of J2000 to that of an equinox in Julian years.
Matrix precession_from_j2000(double equinox) {
  const double t = (equinox - 2000.0) / 100.0;
  const double zeta =
      2.650545 + t * (2306.083227 + t * (0.2988499 + t * (0.01801828 + t * (-5.971e-6 - 3.173e-7 * t))));
  const double z = -2.650545 + t * (2306.077181 + t * (1.0927348 + t * (0.01826837 + t * (-2.8596e-5 - 2.904e-7 * t))));
  const double theta = t * (2004.191903 + t * (-0.4294934 + t * (-0.04182264 + t * (-7.089e-6 - 1.274e-7 * t))));
  return by_angles(zeta, z, theta);
}

/// Newcomb's precession between two equinoxes in Besselian years (Explanatory Supplement, 1961, section 2B).
Matrix besselian_precession(double from, double to) {
  const double t = (from - 1850.0) / 1000.0, dt = (to - from) / 1000.0;
  const double first = 23035.545 + t * (139.720 + 0.060 * t);
  const double zeta = dt * (first + dt * (30.240 - 0.27 * t + 17.995 * dt));
  const double z = dt * (first + dt * (109.480 + 0.39 * t + 18.325 * dt));
  const double theta = dt * (20051.12 + t * (-85.29 - 0.37 * t) + dt * (-42.65 - 0.37 * t - 41.8 * dt));
  return by_angles(zeta, z, theta);
}

/// From FK4 of B1950, without the terms of aberration, to FK5 of J2000 (Murray 1989, equations 28 and 29).
Matrix fk4_to_fk5(double epoch_jd) {
  Matrix result = {{{0.9999256794956877, -0.0111814832204662, -0.0048590038153592},
                    {0.0111814832391717, 0.9999374848933135, -0.0000271625947142},
                    {0.0048590037723143, -0.0000271702937440, 0.9999881946023742}}};
  constexpr Matrix change = {{{-0.0026455262e-6, -1.1539918689e-6, 2.1111346190e-6},
                              {1.1540628161e-6, -0.0129042997e-6, 0.0236021478e-6},
                              {-2.1112979048e-6, -0.0056024448e-6, 0.0102587734e-6}}};
  const double centuries = (epoch_jd - j2000) / 36525.0 + 0.5;
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) result[i][j] += change[i][j] * centuries;
  }
  return result;
}

/// The terms of aberration that FK4 holds (Seidelmann 1992, Explanatory Supplement, section 3.531).
Vector e_terms(double equinox_jd) {
  const double t = (equinox_jd - b1950) / 36525.0, from_j2000 = (equinox_jd - j2000) / 36525.0;
  const double eccentricity = 0.01673011 + t * (-0.00004193 - 0.000000126 * t);
  const double aberration = 0.0056932 * radians * eccentricity;
  const double perigee = (1015489.951 + t * (6190.67 + t * (1.65 + 0.012 * t))) * arcsec;
  const double obliquity =
      (84381.448 + from_j2000 * (-46.8150 + from_j2000 * (-0.00059 + 0.001813 * from_j2000))) * arcsec;
  return {aberration * std::sin(perigee), -aberration * std::cos(perigee) * std::cos(obliquity),
          -aberration * std::cos(perigee) * std::sin(obliquity)};
}

Vector unit_vector(const SkyPosition& p) {
  const double ra = p.ra * radians, dec = p.dec * radians;
  return {std::cos(dec) * std::cos(ra), std::cos(dec) * std::sin(ra), std::sin(dec)};
}

SkyPosition position_of(const Vector& v) {
  const double ra = std::atan2(v[1], v[0]) / radians;
  return {ra < 0.0 ? ra + 360.0 : ra, std::atan2(v[2], std::hypot(v[0], v[1])) / radians};
}

}  // namespace

double separation(const SkyPosition& a, const SkyPosition& b) {
  constexpr double arcsec_per_degree = 3600.0;
  return search::separation(a.ra, a.dec, b.ra, b.dec) / arcsec_per_degree;
}

SkyFrame SkyFrame::icrs() { return SkyFrame({{{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}}}); }

SkyFrame SkyFrame::fk5(double equinox) {
  return SkyFrame(product(fk5_to_icrs(), transposed(precession_from_j2000(equinox))));
}

SkyFrame SkyFrame::fk4(double equinox, bool with_e_terms) {
  const double jd = b1950 + (equinox - 1950.0) * tropical_year;
  SkyFrame frame(product(fk5_to_icrs(), product(fk4_to_fk5(jd), besselian_precession(equinox, 1950.0))));
  if (with_e_terms) frame.e_terms_ = e_terms(jd);
  return frame;
}

SkyFrame SkyFrame::galactic() {
  // The pole of J2000 and the longitude of the equator's, as they follow from their definition for B1950 (Reid and
  // Brunthaler 2004, ApJ 616, 872, appendix).
  constexpr double pole_ra = 192.8594812065348, pole_dec = 27.12825118085622, longitude = 122.9319185680026;
  const Matrix from_fk5 = product(rotation(2, (180.0 - longitude) * radians),
                                  product(rotation(1, (90.0 - pole_dec) * radians), rotation(2, pole_ra * radians)));
  return SkyFrame(product(fk5_to_icrs(), transposed(from_fk5)));
}

SkyPosition SkyFrame::to_icrs(const SkyPosition& position) const {
  Vector v = unit_vector(position);
  const double along = dot(e_terms_, v);
  for (size_t i = 0; i < 3; ++i) v[i] += along * v[i] - e_terms_[i];
  return position_of(product(to_icrs_, v));
}

SkyPosition SkyFrame::from_icrs(const SkyPosition& position) const {
  const Vector without = product(transposed(to_icrs_), unit_vector(position));
  Vector v = without;
  // Solves v + along·v − e ∥ `without`, as to_icrs has it; a step gains four digits.
  for (int step = 0; step < 4; ++step) {
    const double length = std::sqrt(dot(v, v));
    for (double& x : v) x /= length;
    const double along = dot(e_terms_, v);
    for (size_t i = 0; i < 3; ++i) v[i] = (without[i] + e_terms_[i]) / (1.0 + along);
  }
  return position_of(v);
}

}  // namespace astroclip::fits
