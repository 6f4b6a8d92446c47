#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "api/dataset.h"

/// Which rows are observations of one object.
namespace astroclip::data {

/// Rows within this distance are one object, in arcsec.
inline constexpr double same_object_radius = 1.0;

/// Right ascension and declination in degrees.
struct Positions {
  std::vector<double> ra, dec;
};
/// Of rows, by the labels "ra" and "dec" in any case of letters; none where the dataset lacks one.
std::optional<Positions> read_positions(const Dataset& dataset, Split split, std::span<const int64_t> rows);

struct ObjectGroups {
  std::vector<int64_t> ids;  ///< for each row of the split the least object_id of the rows of its object
  int64_t by_position = 0;   ///< rows whose object has another object_id, too
};
/// Rows of a split with the same object_id, or within same_object_radius of each other, are one object.
ObjectGroups group_objects(const Dataset& dataset, Split split);

}  // namespace astroclip::data
