// Variance, invariance and covariance (Bardes et al. 2022, "VICReg: variance-invariance-covariance regularization for
// self-supervised learning", equations 1 to 6; the invariance is a mean over components, as in algorithm 1, which is
// what the published weights go with). The expanders are without batch normalisation.
#include <vector>

#include "api/two_towers.h"
#include "base/error.h"
#include "nn/layers.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Vicreg final : public Loss {
 public:
  struct Parameters {
    double invariance = 25.0;
    double variance = 25.0;
    double covariance = 1.0;
    double deviation = 1.0;
    std::vector<int64_t> expander;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        config::Schema<Parameters>("Near partners, components that vary, and that vary independently.")
            .field("invariance", &Parameters::invariance, "weight of the mean squared difference of partners",
                   at_least(0.0))
            .field("variance", &Parameters::variance, "weight of what components' deviations lack", at_least(0.0))
            .field("covariance", &Parameters::covariance, "weight of the squared covariances of different components",
                   at_least(0.0))
            .field("deviation", &Parameters::deviation, "deviation that each component should have", config::above(0.0))
            .field("expander", &Parameters::expander,
                   "widths of a network between embeddings and loss, one for each modality; none: no network",
                   config::each(at_least(1)))
            .field("augment", &Parameters::augment, "encode the dataset's augmented views")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "vicreg", invariance = 25.0, variance = 25.0, covariance = 1.0, expander = [512, 512] }
)");
    return schema;
  }

  explicit Vicreg(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override {
    views_ = two_aligned_modalities(setup, "vicreg");
    for (const std::string& view : views_) {
      expanders_.push_back(std::make_unique<nn::Mlp>(setup.encoder(view).embedding_width(), p_.expander));
      child("expander." + view, *expanders_.back());
    }
  }

  LossValue forward(LossContext& context) override {
    const Tensor a = (*expanders_[0])(context.embed(views_[0])), b = (*expanders_[1])(context.embed(views_[1]));
    const Tensor all_a = ops::all_gather(a, context.communicator()), all_b = ops::all_gather(b, context.communicator());
    if (all_a.size(0) < 2) throw Error("[vicreg] needs a batch of at least 2 objects, found 1");
    const Tensor invariance = ops::mean(ops::square(ops::subtract(a, b)));
    const Spread of_a = spread(all_a), of_b = spread(all_b);
    const Tensor variance = ops::add(of_a.lacking, of_b.lacking);
    const Tensor covariance = ops::add(of_a.shared, of_b.shared);
    const Tensor total = ops::add(ops::affine(invariance, p_.invariance),
                                  ops::add(ops::affine(variance, p_.variance), ops::affine(covariance, p_.covariance)));
    return {total, {{"invariance", invariance}, {"variance", variance}, {"covariance", covariance}}};
  }

 private:
  struct Spread {
    Tensor lacking;  ///< mean over components of what their deviation lacks
    Tensor shared;   ///< squared covariances of different components, summed, by the number of components
  };
  /// Of z [N, E], with sums over N − 1.
  Spread spread(const Tensor& z) const {
    const double share = 1.0 / static_cast<double>(z.size(0) - 1);
    const Tensor centred = ops::subtract(z, ops::mean(z, {0}, true));
    const Tensor variances = ops::affine(ops::sum(ops::square(centred), {0}), share);
    const Tensor lacking = ops::relu(ops::affine(ops::sqrt(ops::affine(variances, 1.0, epsilon)), -1.0, p_.deviation));
    const Tensor covariances = ops::affine(ops::matmul(centred, centred, true, false), share);
    const Tensor shared = ops::subtract(ops::sum(ops::square(covariances)), ops::sum(ops::square(variances)));
    return {ops::mean(lacking), ops::affine(shared, 1.0 / static_cast<double>(z.size(1)))};
  }

  static constexpr double epsilon = 1e-4;  ///< published
  Parameters p_;
  std::vector<std::string> views_;
  std::vector<std::unique_ptr<nn::Mlp>> expanders_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Vicreg)
