// Continuously weighted contrastive loss (Srinivasa et al. 2023, "CWCL: cross-modal transfer with continuously weighted
// contrastive loss", section 3): from the reference tower to the other every pair attracts, by how similar its galaxies
// are in the reference; the way back is the ordinary contrastive loss. Published with a frozen reference tower.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "api/contrastive.h"
#include "ops/operators.h"
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
        contrastive_schema<Parameters>("Contrastive loss in which galaxies attract by how similar they are.")
            .field("reference", &Parameters::reference,
                   "tower whose embeddings say how similar two galaxies are; in pairs without it, and when none is "
                   "named, the first of the pair")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "cwcl", reference = "spectrum" }
)");
    return schema;
  }

  explicit Cwcl(const Parameters& parameters) : ContrastiveLoss(parameters), p_(parameters) {}

  void attach(LossSetup& setup) override {
    ContrastiveLoss::attach(setup);
    if (!p_.reference.empty() && std::ranges::find(towers(), p_.reference) == towers().end()) {
      fail(fmt::format("'reference' must be one of the stage's encoders {}, found '{}'", fmt::join(towers(), ", "),
                       p_.reference));
    }
  }

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext& context) const override {
    return b.name == p_.reference ? from_reference(b, a, context) : from_reference(a, b, context);
  }

  LossValue from_reference(const Tower& reference, const Tower& other, LossContext& context) const {
    const Tensor similarity = (ops::matmul_nt(reference.own.detach(), reference.all.detach()) + 1) / 2;
    const Tensor weights = similarity / ops::sum(similarity, {1}, true);
    const Tensor logits = scaled(ops::matmul_nt(reference.own, other.all));
    const Tensor attracted = ops::sum(weights * logits, {1});
    const Tensor weighted = ops::mean(ops::log_sum_exp(logits) - attracted);
    const Tensor back = find_own_column(scaled(ops::matmul_nt(other.own, reference.all)), context);
    return {(weighted + back) / 2, {{"weighted", weighted}, {"back", back}}};
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Cwcl)
