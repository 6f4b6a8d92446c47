// Cyclic contrastive loss (Goel et al. 2022, "CyCLIP: cyclic contrastive language-image pretraining", equations 2 to
// 4): the contrastive loss, and what the similarities of two galaxies differ by within either modality and across both.
#include <vector>

#include "api/contrastive.h"
#include "api/two_towers.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Cyclip final : public Loss {
 public:
  struct Parameters {
    double logit_scale = 15.5;
    bool learnable = false;
    double largest_scale = 100.0;
    bool augment = true;
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
                   "weight of (cos(aᵢ, bⱼ) − cos(bᵢ, aⱼ))², summed over j and averaged over i", at_least(0.0));
    return schema;
  }

  explicit Cyclip(const Parameters& parameters)
      : p_(parameters), scale_(p_.logit_scale, p_.learnable, p_.largest_scale) {
    child("logit_scale", scale_);
  }

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override { views_ = two_aligned_modalities(setup, "cyclip"); }

  LossValue forward(LossContext& context) override {
    const UnitPair pair = embed_unit_pair(context, views_);
    const Tensor a_to_b = ops::matmul(pair.a, pair.all_b, false, true);
    const Tensor b_to_a = ops::matmul(pair.b, pair.all_a, false, true);
    const Tensor both = ops::add(find_own_column(scale_(a_to_b), context), find_own_column(scale_(b_to_a), context));
    const Tensor clip = ops::affine(both, 0.5);
    const Tensor in_modal =
        inconsistency(ops::matmul(pair.a, pair.all_a, false, true), ops::matmul(pair.b, pair.all_b, false, true));
    const Tensor cross_modal = inconsistency(a_to_b, b_to_a);
    const Tensor cyclic = ops::add(ops::affine(in_modal, p_.in_modal), ops::affine(cross_modal, p_.cross_modal));
    LossValue value{ops::add(clip, cyclic), {{"clip", clip}, {"in_modal", in_modal}, {"cross_modal", cross_modal}}};
    scale_.log(value);
    return value;
  }

  void after_update(LossSetup&, int64_t) override { scale_.hold_bound(); }

 private:
  /// Squared differences of two [B, N], summed over columns and averaged over rows.
  static Tensor inconsistency(const Tensor& a, const Tensor& b) {
    return ops::affine(ops::sum(ops::square(ops::subtract(a, b))), 1.0 / static_cast<double>(a.size(0)));
  }

  Parameters p_;
  LogitScale scale_;
  std::vector<std::string> views_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, "cyclip", astroclip::Cyclip)
