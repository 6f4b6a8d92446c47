// Redundancy reduction (Zbontar et al. 2021, "Barlow Twins: self-supervised learning via redundancy reduction",
// equations 1 and 2): the correlations of one tower's components with the other's approach the unit matrix.
#include "api/pair_loss.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class BarlowTwins final : public ProjectedPairLoss {
 public:
  struct Parameters : PairParameters {
    double redundancy = 0.005;
    std::vector<int64_t> projector;
    bool batch_norm = true;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        pair_schema<Parameters>("Correlations between two towers' components, drawn to the unit matrix.")
            .field("redundancy", &Parameters::redundancy, "weight of the squared correlations of different components",
                   at_least(0.0))
            .field("projector", &Parameters::projector,
                   "widths of each tower's network between embedding and loss; none: no network",
                   config::each(at_least(1)))
            .field("batch_norm", &Parameters::batch_norm,
                   "a batch norm after each layer of the projector but the last, as published")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "barlow_twins", projector = [512, 512] }
)");
    return schema;
  }

  explicit BarlowTwins(const Parameters& parameters)
      : ProjectedPairLoss(parameters, "projector", parameters.projector, parameters.batch_norm), p_(parameters) {}

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext&) const override {
    need_objects(2, a);
    const Tensor z_a = standardised(a.all), z_b = standardised(b.all);
    const Tensor correlations = ops::matmul_tn(z_a, z_b) / z_a.size(0);
    const Tensor diagonal = ops::mean(z_a * z_b, {0});
    const Tensor invariance = ops::sum(ops::square(1 - diagonal));
    const Tensor redundancy = ops::sum(ops::square(correlations)) - ops::sum(ops::square(diagonal));
    return {invariance + p_.redundancy * redundancy, {{"invariance", invariance}, {"redundancy", redundancy}}};
  }

  /// The components of z [N, E] with mean 0 and variance 1.
  static Tensor standardised(const Tensor& z) {
    const Tensor centred = z - ops::mean(z, {0}, true);
    return centred / ops::sqrt(ops::mean(ops::square(centred), {0}, true) + epsilon);
  }

  static constexpr double epsilon = 1e-5;  ///< of the batch normalisation that standardises in the published code
  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::BarlowTwins)
