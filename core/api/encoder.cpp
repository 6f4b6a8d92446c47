#include "api/encoder.h"

namespace astroclip {

// Here, so that every plugin asks for the same type.
Reconstruction::~Reconstruction() = default;
TokenGrid::~TokenGrid() = default;

}  // namespace astroclip
