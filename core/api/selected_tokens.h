#pragma once

#include <cstdint>
#include <vector>

#include "api/encoder.h"

namespace astroclip {

/// An encoder that can end with some of its tokens, and computes what comes after its last attention for no others.
class SelectedTokens {
 public:
  virtual ~SelectedTokens();
  /// Encoder::encode for pretraining, with tokens [M, D] at `selected` of [B · T] in place of all.
  virtual Encoded encode_selected(const Tensor& tokens, const Tensor& mask,
                                  const std::vector<int64_t>& selected) const = 0;
};

/// The same of any encoder: from all of its tokens where it cannot select. Tokens are undefined where none is selected.
Encoded encode_selected(const Encoder& encoder, const Tensor& tokens, const Tensor& mask,
                        const std::vector<int64_t>& selected);

}  // namespace astroclip
