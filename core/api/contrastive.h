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

struct ContrastiveParameters {
  double logit_scale = 15.5;
  bool learnable = false;
  double largest_scale = 100.0;
  bool augment = true;
};

/// A loss between the unit embeddings of a stage's two modalities, with a factor on their cosines. What derives from it
/// says how the batch is compared.
class ContrastiveLoss : public Loss {
 public:
  /// `name` begins the messages of what it refuses.
  ContrastiveLoss(std::string name, const ContrastiveParameters& parameters);
  std::vector<ViewRequest> views(const LossSetup& setup) const override;
  void attach(LossSetup& setup) override;
  LossValue forward(LossContext& context) override;
  void after_update(LossSetup& setup, int64_t step) override;

 protected:
  /// The loss and its terms, to which `forward` adds a learned factor.
  virtual LossValue compare(const UnitPair& pair, LossContext& context) const = 0;
  /// cosines · factor
  Tensor scaled(const Tensor& cosines) const { return scale_(cosines); }

  std::vector<std::string> views_;  ///< of a and b, from `attach` on

 private:
  std::string name_;
  bool augment_;
  LogitScale scale_;
};

/// A contrastive loss's schema with the fields of ContrastiveParameters, which P derives from.
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
