#pragma once

#include <span>

namespace astroclip::data {

/// Fills the flux where there is no measurement (inverse variance 0): between measurements by a straight line from the
/// last one before to the first one after, beyond their ends by the weighted mean of the 100 measured pixels nearest to
/// that end. Nothing is done to a spectrum without measurements.
void fill_gaps(std::span<float> flux, std::span<const float> ivar);

}  // namespace astroclip::data
