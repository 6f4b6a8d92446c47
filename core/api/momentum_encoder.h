#pragma once

#include <string>

#include "api/loss.h"

namespace astroclip {

/// An encoder that learns, and a second one that follows it as its moving average.
class MomentumEncoder {
 public:
  /// The second one is made by the engine and kept in checkpoints as `name`. Throws Error when there is no such tower.
  MomentumEncoder(LossSetup& setup, const std::string& tower, const std::string& name)
      : leader_(setup.encoder(tower)), follower_(setup.rebuild(tower, name)) {}

  const Encoder& leader() const { return leader_; }
  Encoder& follower() const { return follower_; }
  /// follower ← momentum · follower + (1 − momentum) · leader
  void follow(double momentum) const;

 private:
  const Encoder& leader_;
  Encoder& follower_;
};

}  // namespace astroclip
