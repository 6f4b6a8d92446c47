// Continuously weighted contrastive loss (Srinivasa et al. 2023, "CWCL: cross-modal transfer with continuously weighted
// contrastive loss", section 3): from the reference modality to the other every pair attracts, by how alike its
// galaxies are in the reference; the way back is the ordinary contrastive loss. Published with a frozen reference
// tower.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "api/contrastive.h"
#include "base/error.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Cwcl final : public ContrastiveLoss {
 public:
  struct Parameters : ContrastiveParameters {
    std::string reference;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        contrastive_schema<Parameters>("Contrastive loss in which alike galaxies attract by how alike they are.")
            .field("reference", &Parameters::reference,
                   "modality whose embeddings say how alike two galaxies are; none: the stage's first")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "cwcl", reference = "spectrum" }
)");
    return schema;
  }

  explicit Cwcl(const Parameters& parameters) : ContrastiveLoss("cwcl", parameters), p_(parameters) {}

  void attach(LossSetup& setup) override {
    ContrastiveLoss::attach(setup);
    if (p_.reference.empty()) return;
    const auto reference = std::ranges::find(views_, p_.reference);
    if (reference == views_.end()) {
      throw Error(fmt::format("[cwcl] 'reference' must be one of the stage's modalities {}, found '{}'",
                              fmt::join(views_, ", "), p_.reference));
    }
    std::iter_swap(views_.begin(), reference);
  }

 private:
  LossValue compare(const UnitPair& pair, LossContext& context) const override {  // a is the reference
    const Tensor alike = ops::affine(ops::matmul(pair.a.detach(), pair.all_a.detach(), false, true), 0.5, 0.5);
    const Tensor weights = ops::divide(alike, ops::sum(alike, {1}, true));
    const Tensor logits = scaled(ops::matmul(pair.a, pair.all_b, false, true));
    const Tensor attracted = ops::sum(ops::multiply(weights, logits), {1});
    const Tensor weighted = ops::mean(ops::subtract(ops::log_sum_exp(logits), attracted));
    const Tensor back = find_own_column(scaled(ops::matmul(pair.b, pair.all_a, false, true)), context);
    return {ops::affine(ops::add(weighted, back), 0.5), {{"weighted", weighted}, {"back", back}}};
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Cwcl)
