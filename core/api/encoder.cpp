#include "api/encoder.h"

#include "api/attention_weights.h"
#include "api/selected_tokens.h"
#include "ops/ops.h"

namespace astroclip {

// Here, so that every plugin asks for the same type.
Reconstruction::~Reconstruction() = default;
TokenGrid::~TokenGrid() = default;
AttentionWeights::~AttentionWeights() = default;
SelectedTokens::~SelectedTokens() = default;

Encoded encode_selected(const Encoder& encoder, const Tensor& tokens, const Tensor& mask,
                        const std::vector<int64_t>& selected) {
  if (const auto* able = dynamic_cast<const SelectedTokens*>(&encoder)) {
    return able->encode_selected(tokens, mask, selected);
  }
  const Encoded all = encoder.encode(tokens, mask, TokenForm::pretraining);
  if (selected.empty()) return {all.cls_token, {}};
  const Tensor rows = ops::reshape(all.tokens, {all.tokens.size(0) * all.tokens.size(1), all.tokens.size(2)});
  return {all.cls_token, ops::gather_rows(rows, Tensor::from_host(selected, {std::ssize(selected)}, rows.device()))};
}

}  // namespace astroclip
