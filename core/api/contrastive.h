#pragma once

#include <string>
#include <vector>

#include "api/loss.h"
#include "config/schema.h"

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

/// A contrastive loss's schema with the fields of its LogitScale and `augment`, which P declares under these names.
template <class P>
config::Schema<P> contrastive_schema(std::string summary) {
  using config::above;
  return config::Schema<P>(std::move(summary))
      .field("logit_scale", &P::logit_scale, "factor on the cosines; the start when it is learnable", above(0.0))
      .field("learnable", &P::learnable, "learn the factor, as its logarithm")
      .field("largest_scale", &P::largest_scale, "bound on a learnable factor", above(0.0))
      .field("augment", &P::augment, "encode the dataset's augmented views")
      .check([](const P& p) -> std::string {
        return p.logit_scale <= p.largest_scale ? "" : "'logit_scale' must not exceed 'largest_scale'";
      });
}

}  // namespace astroclip
