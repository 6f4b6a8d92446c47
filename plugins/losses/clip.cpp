// Symmetric contrastive loss between two modalities (Radford et al. 2021, "Learning transferable visual models from
// natural language supervision"), as AstroCLIP uses it: cosine logits times a fixed factor.
#include <vector>

#include "api/contrastive.h"
#include "api/two_towers.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Clip final : public Loss {
 public:
  struct Parameters {
    double logit_scale = 15.5;
    bool learnable = false;
    double largest_scale = 100.0;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        contrastive_schema<Parameters>("Symmetric cross-entropy over the cosine similarities of a batch (InfoNCE).");
    return schema;
  }

  explicit Clip(const Parameters& parameters) : p_(parameters), scale_(p_.logit_scale, p_.learnable, p_.largest_scale) {
    child("logit_scale", scale_);
  }

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override { views_ = two_aligned_modalities(setup, "clip"); }

  LossValue forward(LossContext& context) override {
    const UnitPair pair = embed_unit_pair(context, views_);
    const Tensor a_to_b = find_own_column(scale_(ops::matmul(pair.a, pair.all_b, false, true)), context);
    const Tensor b_to_a = find_own_column(scale_(ops::matmul(pair.b, pair.all_a, false, true)), context);
    const Tensor total = ops::affine(ops::add(a_to_b, b_to_a), 0.5);
    LossValue value{total, {{"clip", total}}};
    scale_.log(value);
    return value;
  }

  void after_update(LossSetup&, int64_t) override { scale_.hold_bound(); }

 private:
  Parameters p_;
  LogitScale scale_;
  std::vector<std::string> views_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, "clip", astroclip::Clip)
