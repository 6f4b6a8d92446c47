#pragma once

#include <array>

namespace astroclip::fits {

/// A position on the sky, in degrees (ICRS).
struct SkyPosition {
  double ra = 0.0, dec = 0.0;
};

/// Degrees between two positions.
double separation(const SkyPosition& a, const SkyPosition& b);

/// A celestial reference frame: turns its longitudes and latitudes into ICRS and back.
class SkyFrame {
 public:
  static SkyFrame icrs();
  /// Of an equinox in Julian years; precession as IAU 2006 has it (Capitaine et al. 2003, A&A 412, 567).
  static SkyFrame fk5(double equinox);
  /// Of an equinox in Besselian years, which is taken as the epoch, too (Murray 1989, A&A 218, 325), with or without
  /// the terms of aberration.
  static SkyFrame fk4(double equinox, bool with_e_terms);
  static SkyFrame galactic();

  SkyPosition to_icrs(const SkyPosition& position) const;
  SkyPosition from_icrs(const SkyPosition& position) const;

 private:
  using Vector = std::array<double, 3>;
  using Matrix = std::array<Vector, 3>;
  explicit SkyFrame(const Matrix& to_icrs) : to_icrs_(to_icrs) {}

  Matrix to_icrs_;
  Vector e_terms_ = {};
};

}  // namespace astroclip::fits
