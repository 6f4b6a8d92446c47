#include "api/momentum_encoder.h"

#include "nn/self_distillation.h"

namespace astroclip {

void MomentumEncoder::follow(double momentum) const {
  nn::follow(follower_.parameters(), leader_.parameters(), momentum);
}

}  // namespace astroclip
