#pragma once

#include "api/encoder.h"

namespace astroclip {

/// An encoder whose embedding attends to its tokens, and can tell by which weights.
class AttentionWeights {
 public:
  virtual ~AttentionWeights();
  /// tokens [B, T, F] → the weight of each token in what is embedded [B, heads, T]: of the features for alignment those
  /// by which the head pools them, of those for pretraining the class token's in the last block. Weights of a head add
  /// up to 1, or to less where it attends to tokens that the backbone adds. Undefined where the embedding of that form
  /// does not attend. Carries no gradient.
  virtual Tensor attention(const Tensor& tokens, TokenForm form) const = 0;
};

}  // namespace astroclip
