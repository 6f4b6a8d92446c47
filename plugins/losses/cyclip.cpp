// Cyclic contrastive loss (Goel et al. 2022, "CyCLIP: cyclic contrastive language-image pretraining", equations 2 to
// 4): the contrastive loss, and what the similarities of two galaxies differ by within either modality and across both.
#include <vector>

#include "api/contrastive.h"
#include "ops/ops.h"
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

  explicit Cyclip(const Parameters& parameters) : ContrastiveLoss("cyclip", parameters), p_(parameters) {}

 private:
  LossValue compare(const UnitPair& pair, LossContext& context) const override {
    const Tensor a_to_b = ops::matmul(pair.a, pair.all_b, false, true);
    const Tensor b_to_a = ops::matmul(pair.b, pair.all_a, false, true);
    const Tensor both = ops::add(find_own_column(scaled(a_to_b), context), find_own_column(scaled(b_to_a), context));
    const Tensor clip = ops::affine(both, 0.5);
    const Tensor in_modal =
        inconsistency(ops::matmul(pair.a, pair.all_a, false, true), ops::matmul(pair.b, pair.all_b, false, true));
    const Tensor cross_modal = inconsistency(a_to_b, b_to_a);
    const Tensor cyclic = ops::add(ops::affine(in_modal, p_.in_modal), ops::affine(cross_modal, p_.cross_modal));
    return {ops::add(clip, cyclic), {{"clip", clip}, {"in_modal", in_modal}, {"cross_modal", cross_modal}}};
  }

  /// Squared differences of two [B, N], summed over columns and averaged over rows.
  static Tensor inconsistency(const Tensor& a, const Tensor& b) {
    return ops::affine(ops::sum(ops::square(ops::subtract(a, b))), 1.0 / static_cast<double>(a.size(0)));
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Cyclip)
