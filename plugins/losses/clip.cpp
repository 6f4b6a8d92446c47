// Symmetric contrastive loss between two modalities (Radford et al. 2021, "Learning transferable visual models from
// natural language supervision"), as AstroCLIP uses it: cosine logits times a fixed factor.
#include "api/contrastive.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Clip final : public ContrastiveLoss {
 public:
  using Parameters = ContrastiveParameters;

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        contrastive_schema<Parameters>("Symmetric cross-entropy over the cosine similarities of a batch (InfoNCE).")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "clip", logit_scale = 20.0 }
)");
    return schema;
  }

  explicit Clip(const Parameters& parameters) : ContrastiveLoss(parameters) {}

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext& context) const override {
    const Tensor a_to_b = find_own_column(scaled(ops::matmul_nt(a.own, b.all)), context);
    const Tensor b_to_a = find_own_column(scaled(ops::matmul_nt(b.own, a.all)), context);
    const Tensor total = (a_to_b + b_to_a) / 2;
    return {total, {{plugin_name(), total}}};
  }
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Clip)
