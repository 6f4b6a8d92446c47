#pragma once

#include <string>
#include <utility>

#include "api/pair_loss.h"

namespace astroclip {

/// What contrastive losses share.

/// Mean cross-entropy of each row of `logits` [B, N] finding the column that is its own object.
Tensor find_own_column(const Tensor& logits, const LossContext& context);

/// The factor on cosines, 1/temperature: fixed, or learned as its logarithm and clamped to a maximum. The clamp acts on
/// the parameter after each step, not in the forward pass, where it would stop the gradient for good.
class LogitScale final : public nn::Module {
 public:
  LogitScale(double start, bool learn, double max);
  /// cosines · scale
  Tensor operator()(const Tensor& cosines) const;
  /// Call after each optimiser step.
  void clamp();
  /// Adds "logit_scale" to the logged terms when it is learned.
  void log(LossValue& value) const;

 private:
  double start_;
  bool learn_;
  double max_;
  Tensor log_scale_;
};

struct ContrastiveParameters : PairParameters {
  double logit_scale = 15.5;
  bool learn_logit_scale = false;
  double max_logit_scale = 100.0;
};

/// A pair loss of cosines times a factor.
class ContrastiveLoss : public PairLoss {
 public:
  explicit ContrastiveLoss(const ContrastiveParameters& parameters);
  LossValue forward(LossContext& context) override;
  void after_update(LossSetup& setup, int64_t step, int64_t steps) override;

 protected:
  /// cosines · factor
  Tensor scaled(const Tensor& cosines) const { return scale_(cosines); }

 private:
  LogitScale scale_;
};

/// A contrastive loss's schema with the fields of ContrastiveParameters, which P derives from.
template <class P>
config::Schema<P> contrastive_schema(std::string summary) {
  using config::above;
  return pair_schema<P>(std::move(summary))
      .field("logit_scale", &P::logit_scale, "factor on the cosines; its initial value when it is learned", above(0.0))
      .field("learn_logit_scale", &P::learn_logit_scale, "learn the factor, as its logarithm")
      .field("max_logit_scale", &P::max_logit_scale, "maximum of a learned factor", above(0.0))
      .renamed("learnable", "learn_logit_scale")
      .renamed("largest_scale", "max_logit_scale")
      .check([](const P& p) -> std::string {
        return p.logit_scale <= p.max_logit_scale ? "" : "'logit_scale' must not exceed 'max_logit_scale'";
      });
}

}  // namespace astroclip
