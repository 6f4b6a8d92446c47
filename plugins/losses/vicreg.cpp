// Variance–invariance–covariance regularisation (Bardes et al. 2022, "VICReg", equations 1 to 6; the invariance is a
// mean over components, as in algorithm 1, which is what the published weights are for).
#include "api/pair_loss.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Vicreg final : public ProjectedPairLoss {
 public:
  struct Parameters : PairParameters {
    double invariance = 25.0;
    double variance = 25.0;
    double covariance = 1.0;
    double deviation = 1.0;
    std::vector<int64_t> expander;
    bool batch_norm = true;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        pair_schema<Parameters>("Variance–invariance–covariance regularisation (VICReg).")
            .field("invariance", &Parameters::invariance, "weight of the mean squared difference of partners",
                   at_least(0.0))
            .field("variance", &Parameters::variance, "weight of the variance hinge", at_least(0.0))
            .field("covariance", &Parameters::covariance, "weight of the squared off-diagonal covariances",
                   at_least(0.0))
            .field("deviation", &Parameters::deviation,
                   "standard deviation of a component below which the variance hinge acts", config::above(0.0))
            .field("expander", &Parameters::expander,
                   "widths of each tower's network between embedding and loss; none: no network",
                   config::each(at_least(1)))
            .field("batch_norm", &Parameters::batch_norm,
                   "a batch norm after each layer of the expander but the last, as published")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "vicreg", invariance = 25.0, variance = 25.0, covariance = 1.0, expander = [512, 512] }
)");
    return schema;
  }

  explicit Vicreg(const Parameters& parameters)
      : ProjectedPairLoss(parameters, "expander", parameters.expander, parameters.batch_norm), p_(parameters) {}

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext&) const override {
    need_objects(2, a);
    const Tensor invariance = ops::mean(ops::square(a.own - b.own));
    const Spread of_a = spread(a.all), of_b = spread(b.all);
    const Tensor variance = of_a.hinge + of_b.hinge, covariance = of_a.covariance + of_b.covariance;
    return {p_.invariance * invariance + (p_.variance * variance + p_.covariance * covariance),
            {{"invariance", invariance}, {"variance", variance}, {"covariance", covariance}}};
  }

  struct Spread {
    Tensor hinge;       ///< by how much components' deviations fall short, averaged over components
    Tensor covariance;  ///< squared covariances of different components, summed, by the number of components
  };
  /// Of z [N, E], with sums over N − 1.
  Spread spread(const Tensor& z) const {
    const int64_t degrees = z.size(0) - 1;
    const Tensor centred = z - ops::mean(z, {0}, true);
    const Tensor variances = ops::sum(ops::square(centred), {0}) / degrees;
    const Tensor hinge = ops::relu(p_.deviation - ops::sqrt(variances + epsilon));
    const Tensor covariances = ops::matmul_tn(centred, centred) / degrees;
    const Tensor off_diagonal = ops::sum(ops::square(covariances)) - ops::sum(ops::square(variances));
    return {ops::mean(hinge), off_diagonal / z.size(1)};
  }

  static constexpr double epsilon = 1e-4;  ///< published
  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Vicreg)
