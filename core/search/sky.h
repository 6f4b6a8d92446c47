#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace astroclip::search {

/// Arcsec between two positions in degrees.
double separation(double ra, double dec, double other_ra, double other_dec);

/// The nearest position within a radius.
struct SkyMatch {
  int64_t row = -1;       ///< −1: none
  double separation = 0;  ///< in arcsec
  int64_t within = 0;     ///< how many positions are within the radius
};

/// A pair of positions within a radius of each other.
struct SkyPair {
  int64_t first, second;  ///< rows
  double separation;      ///< in arcsec
};

/// Positions on the sky by right ascension and declination in degrees, searched as unit vectors in a k-d tree
/// (nanoflann). Positions that are not finite, or whose declination is beyond ±90, match nothing. Of equally near
/// positions the lower row is nearer. Radii are in arcsec. Searches run on all compute threads.
class SkyIndex {
 public:
  SkyIndex(std::span<const double> ra, std::span<const double> dec);
  ~SkyIndex();
  SkyIndex(const SkyIndex&) = delete;
  SkyIndex& operator=(const SkyIndex&) = delete;

  /// For each given position the nearest of the index within the radius.
  std::vector<SkyMatch> nearest(std::span<const double> ra, std::span<const double> dec, double radius) const;
  /// Every pair of a given position (first) and one of the index (second) within the radius, ordered by first,
  /// separation and second.
  std::vector<SkyPair> within(std::span<const double> ra, std::span<const double> dec, double radius) const;

 private:
  struct Tree;
  std::unique_ptr<const Tree> tree_;
};

/// A number for each position that all positions share which are joined by steps of at most the radius: the lowest row
/// of the group. A position that is not finite is a group of its own.
std::vector<int64_t> sky_groups(std::span<const double> ra, std::span<const double> dec, double radius);

}  // namespace astroclip::search
