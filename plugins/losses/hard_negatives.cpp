// Contrastive loss with hard negatives (Robinson et al. 2021, "Contrastive learning with hard negative samples",
// section 3), across modalities: negatives t are drawn in proportion to exp(β t), by importance weights, and false
// negatives are subtracted with the class prior τ⁺ (Chuang et al. 2020, "Debiased contrastive learning").
#include <cmath>

#include "api/contrastive.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class HardNegatives final : public ContrastiveLoss {
 public:
  struct Parameters : ContrastiveParameters {
    double beta = 1.0;
    double tau_plus = 0.0;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        contrastive_schema<Parameters>("Contrastive loss that weights each negative by how hard it is.")
            .field("beta", &Parameters::beta, "concentration on hard negatives; 0: all have the same weight",
                   config::at_least(0.0))
            .field("tau_plus", &Parameters::tau_plus, "share of false negatives, which is subtracted",
                   config::between(0.0, 0.99))
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "hard_negatives", beta = 0.5, tau_plus = 0.01 }
)");
    return schema;
  }

  explicit HardNegatives(const Parameters& parameters) : ContrastiveLoss(parameters), p_(parameters) {}

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext& context) const override {
    need_objects(2, a);
    const Tensor partners = ops::sum(a.own * b.own, {1});
    const Tensor a_to_b = one_way(ops::matmul_nt(a.own, b.all), partners, context);
    const Tensor b_to_a = one_way(ops::matmul_nt(b.own, a.all), partners, context);
    const Tensor total = (a_to_b + b_to_a) / 2;
    return {total, {{plugin_name(), total}}};
  }

  /// Mean of −log(e^t⁺/(e^t⁺ + N)) with the partners' logits t⁺ and the negatives' N, in logarithms throughout: at
  /// large scales exponentials of logits overflow.
  Tensor one_way(const Tensor& cosines, const Tensor& partner_cosines, const LossContext& context) const {
    const auto negatives = static_cast<double>(cosines.size(1) - 1);
    const Tensor logits = scaled(cosines), partners = scaled(partner_cosines);
    const Tensor others = own_or_other(context, cosines.size(0), cosines.size(1), -1e30F, 0.0F);
    const auto log_sum = [&](double power) { return ops::log_sum_exp(power * logits + others); };
    // M · Σ w e^t with w = e^βt / Σ e^βt
    const Tensor weighted = log_sum(1 + p_.beta) - log_sum(p_.beta) + std::log(negatives);
    const Tensor log_negatives = p_.tau_plus > 0.0 ? debiased(weighted, partners, negatives) : weighted;
    return -ops::mean(ops::log_sigmoid(partners - log_negatives));
  }

  /// log max((N − τ⁺ M e^t⁺)/(1 − τ⁺), M e^−scale) of log N, the bound being the least that M negatives can come to.
  Tensor debiased(const Tensor& log_negatives, const Tensor& partners, double negatives) const {
    const double prior = p_.tau_plus * negatives;
    // Beyond this ratio the difference is negative and the bound holds.
    const Tensor ratio = -ops::maximum(log_negatives - partners, std::log(prior));
    const Tensor left = ops::maximum(1 - prior * ops::exp(ratio), smallest_share);
    const Tensor log_difference = log_negatives + ops::log(left) - std::log1p(-p_.tau_plus);
    const Tensor bound = scaled(0 * partners.detach() - 1) + std::log(negatives);
    return ops::maximum(log_difference, bound);
  }

  static constexpr double smallest_share = 1e-30;  ///< keeps the logarithm finite where the bound holds
  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::HardNegatives)
