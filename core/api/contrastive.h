#pragma once

#include <string>
#include <vector>

#include "api/loss.h"

namespace astroclip {

/// What contrastive losses between two modalities share.

/// Embeddings of two views at unit length: of this process's B objects, and of all processes' N in the order of ranks.
struct UnitPair {
  Tensor a, b;          ///< [B, E]
  Tensor all_a, all_b;  ///< [N, E]
};
UnitPair embed_unit_pair(LossContext& context, const std::vector<std::string>& views);

/// The column of `logits` [B, N] that is each row's own object: i64 [B].
Tensor own_columns(const Tensor& logits, LossContext& context);

/// Mean cross-entropy of each row of `logits` [B, N] finding its own column.
Tensor find_own_column(const Tensor& logits, LossContext& context);

/// The factor on cosines, 1/temperature: fixed, or learned as its logarithm and held at or below a bound. The bound is
/// applied to the parameter after each step, not in the forward pass, where it would stop the gradient for good.
class LogitScale final : public nn::Module {
 public:
  LogitScale(double start, bool learnable, double largest);
  /// cosines · scale
  Tensor operator()(const Tensor& cosines) const;
  /// Call after each optimiser step.
  void hold_bound();
  /// Adds "logit_scale" to the logged terms when it is learned.
  void log(LossValue& value) const;

 private:
  double start_;
  bool learnable_;
  double largest_;
  Tensor log_scale_;
};

}  // namespace astroclip
