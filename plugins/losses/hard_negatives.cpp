// Contrastive loss with hard negatives (Robinson et al. 2021, "Contrastive learning with hard negative samples",
// section 3), across modalities: negatives t are drawn in proportion to exp(β t), by importance weights, and partners
// that pass for negatives are taken off with the class prior τ⁺ (Chuang et al. 2020, "Debiased contrastive learning").
#include <cmath>
#include <vector>

#include "api/contrastive.h"
#include "base/error.h"
#include "ops/ops.h"
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
            .field("beta", &Parameters::beta, "concentration on hard negatives; 0: all weigh the same",
                   config::at_least(0.0))
            .field("tau_plus", &Parameters::tau_plus,
                   "share of negatives that are as good as partners, to be taken off", config::between(0.0, 0.99))
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "hard_negatives", beta = 0.5, tau_plus = 0.01 }
)");
    return schema;
  }

  explicit HardNegatives(const Parameters& parameters)
      : ContrastiveLoss("hard_negatives", parameters), p_(parameters) {}

 private:
  LossValue compare(const UnitPair& pair, LossContext& context) const override {
    if (pair.all_a.size(0) < 2) throw Error("[hard_negatives] needs a batch of at least 2 objects, found 1");
    const Tensor partners = ops::sum(ops::multiply(pair.a, pair.b), {1});
    const Tensor a_to_b = one_way(ops::matmul(pair.a, pair.all_b, false, true), partners, context);
    const Tensor b_to_a = one_way(ops::matmul(pair.b, pair.all_a, false, true), partners, context);
    const Tensor total = ops::affine(ops::add(a_to_b, b_to_a), 0.5);
    return {total, {{"hard_negatives", total}}};
  }

  static Tensor constant(const Tensor& like, double value) { return ops::affine(like.detach(), 0.0, value); }

  /// Mean of −log(e^t⁺/(e^t⁺ + N)) with the partners' logits t⁺ and the negatives' N, in logarithms throughout: at
  /// large scales exponentials of logits overflow.
  Tensor one_way(const Tensor& cosines, const Tensor& partner_cosines, const LossContext& context) const {
    const auto negatives = static_cast<double>(cosines.size(1) - 1);
    const Tensor logits = scaled(cosines), partners = scaled(partner_cosines);
    const Tensor others = without_partners(context, cosines.size(0), cosines.size(1));
    const auto log_sum = [&](double power) { return ops::log_sum_exp(ops::add(ops::affine(logits, power), others)); };
    // M · Σ w e^t with w = e^βt / Σ e^βt
    const Tensor weighted =
        ops::affine(ops::subtract(log_sum(1.0 + p_.beta), log_sum(p_.beta)), 1.0, std::log(negatives));
    const Tensor log_negatives = p_.tau_plus > 0.0 ? debiased(weighted, partners, negatives) : weighted;
    return ops::negate(ops::mean(ops::log_sigmoid(ops::subtract(partners, log_negatives))));
  }

  /// log max((N − τ⁺ M e^t⁺)/(1 − τ⁺), M e^−scale) of log N, the floor being the least that M negatives can come to.
  Tensor debiased(const Tensor& log_negatives, const Tensor& partners, double negatives) const {
    const double prior = p_.tau_plus * negatives;
    // Beyond this ratio the difference is negative and the floor holds.
    const Tensor ratio =
        ops::negate(ops::maximum(ops::subtract(log_negatives, partners), constant(partners, std::log(prior))));
    const Tensor left = ops::affine(ops::exp(ratio), -prior, 1.0);
    const Tensor log_left = ops::log(ops::maximum(left, constant(left, smallest_share)));
    const Tensor log_difference = ops::affine(ops::add(log_negatives, log_left), 1.0, -std::log1p(-p_.tau_plus));
    const Tensor floor = ops::affine(scaled(constant(partners, -1.0)), 1.0, std::log(negatives));
    return ops::maximum(log_difference, floor);
  }

  /// [rows, columns]: 0, and so far below zero that it counts for nothing where row and column are the same galaxy.
  static Tensor without_partners(const LossContext& context, int64_t rows, int64_t columns) {
    std::vector<float> mask(static_cast<size_t>(rows * columns), 0.0F);
    const int64_t first = context.communicator().rank() * rows;
    for (int64_t i = 0; i < rows; ++i) mask[static_cast<size_t>(i * columns + first + i)] = -1e30F;
    return context.upload(mask, {rows, columns});
  }

  static constexpr double smallest_share = 1e-30;  ///< keeps the logarithm finite where the floor holds
  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::HardNegatives)
