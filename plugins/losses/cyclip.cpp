// Cyclic contrastive loss (Goel et al. 2022, "CyCLIP: cyclic contrastive language-image pretraining", equations 2 to
// 4): the contrastive loss, and penalties on how the similarities of two galaxies differ within and across modalities.
#include "api/contrastive.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Cyclip final : public ContrastiveLoss {
 public:
  struct Parameters : ContrastiveParameters {
    double in_modal = 0.25;
    double cross_modal = 0.25;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        contrastive_schema<Parameters>("Contrastive loss with consistent similarities within and across modalities.")
            .field("in_modal", &Parameters::in_modal,
                   "weight of (cos(aᵢ, aⱼ) − cos(bᵢ, bⱼ))², summed over j and averaged over i", at_least(0.0))
            .field("cross_modal", &Parameters::cross_modal,
                   "weight of (cos(aᵢ, bⱼ) − cos(bᵢ, aⱼ))², summed over j and averaged over i", at_least(0.0))
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "cyclip", in_modal = 0.25, cross_modal = 0.25 }
)");
    return schema;
  }

  explicit Cyclip(const Parameters& parameters) : ContrastiveLoss(parameters), p_(parameters) {}

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext& context) const override {
    const Tensor a_to_b = ops::matmul_nt(a.own, b.all), b_to_a = ops::matmul_nt(b.own, a.all);
    const Tensor clip = (find_own_column(scaled(a_to_b), context) + find_own_column(scaled(b_to_a), context)) / 2;
    const Tensor in_modal = inconsistency(ops::matmul_nt(a.own, a.all), ops::matmul_nt(b.own, b.all));
    const Tensor cross_modal = inconsistency(a_to_b, b_to_a);
    return {clip + (p_.in_modal * in_modal + p_.cross_modal * cross_modal),
            {{"clip", clip}, {"in_modal", in_modal}, {"cross_modal", cross_modal}}};
  }

  /// Squared differences of two [B, N], summed over columns and averaged over rows.
  static Tensor inconsistency(const Tensor& a, const Tensor& b) { return ops::sum(ops::square(a - b)) / a.size(0); }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Cyclip)
