#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "fits/sky_frame.h"
#include "fits/survey_table.h"

namespace astroclip::fits {

/// Images and spectra joined by steps this small on the sky are of one object.
inline constexpr double pairing_radius = 1.0;  // seconds of arc

/// What tells of which object an observation is.
struct Identity {
  std::optional<ObjectId> id;
  SkyPosition position;   ///< NaN: it goes by the rest alone
  bool is_stamp = false;  ///< cut out at a place of a catalogue, whose identifier it has
  int64_t partner = -1;   ///< an observation of the same object, as the user says; −1: none is named
};

/// The observations of each object, in the order of their first ones: those of equal identifiers, of named partners, or
/// of positions joined by steps of at most the radius. Stamps of different identifiers are different objects however
/// near; what lies between them is of the nearest.
std::vector<std::vector<int64_t>> group_by_object(std::span<const Identity> all);

}  // namespace astroclip::fits
