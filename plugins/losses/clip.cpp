// Symmetric contrastive loss between two modalities (Radford et al. 2021, "Learning transferable visual models from
// natural language supervision"), as AstroCLIP uses it: cosine logits times a fixed factor.
#include <vector>

#include "api/contrastive.h"
#include "ops/ops.h"
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

  explicit Clip(const Parameters& parameters) : ContrastiveLoss("clip", parameters) {}

 private:
  LossValue compare(const UnitPair& pair, LossContext& context) const override {
    const Tensor a_to_b = find_own_column(scaled(ops::matmul(pair.a, pair.all_b, false, true)), context);
    const Tensor b_to_a = find_own_column(scaled(ops::matmul(pair.b, pair.all_a, false, true)), context);
    const Tensor total = ops::affine(ops::add(a_to_b, b_to_a), 0.5);
    return {total, {{"clip", total}}};
  }
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Clip)
