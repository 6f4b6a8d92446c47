#include "api/encoder.h"

#include "api/attention_weights.h"

namespace astroclip {

// Here, so that every plugin asks for the same type.
Reconstruction::~Reconstruction() = default;
TokenGrid::~TokenGrid() = default;
AttentionWeights::~AttentionWeights() = default;

}  // namespace astroclip
