// Redundancy reduction (Zbontar et al. 2021, "Barlow Twins: self-supervised learning via redundancy reduction",
// equations 1 and 2): the correlations of one modality's components with the other's approach the unit matrix. The
// projectors are without batch normalisation.
#include <vector>

#include "api/two_towers.h"
#include "base/error.h"
#include "nn/layers.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class BarlowTwins final : public Loss {
 public:
  struct Parameters {
    double redundancy = 0.005;
    std::vector<int64_t> projector;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        config::Schema<Parameters>("Correlations between both modalities' components, drawn to the unit matrix.")
            .field("redundancy", &Parameters::redundancy, "weight of the squared correlations of different components",
                   at_least(0.0))
            .field("projector", &Parameters::projector,
                   "widths of a network between embeddings and loss, one for each modality; none: no network",
                   config::each(at_least(1)))
            .field("augment", &Parameters::augment, "encode the dataset's augmented views")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "barlow_twins", projector = [512, 512] }
)");
    return schema;
  }

  explicit BarlowTwins(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override {
    views_ = two_aligned_modalities(setup, "barlow_twins");
    for (const std::string& view : views_) {
      projectors_.push_back(std::make_unique<nn::Mlp>(setup.encoder(view).embedding_width(), p_.projector));
      child("projector." + view, *projectors_.back());
    }
  }

  LossValue forward(LossContext& context) override {
    const Tensor a = standardised(context, 0), b = standardised(context, 1);
    const double share = 1.0 / static_cast<double>(a.size(0));
    const Tensor correlations = ops::affine(ops::matmul(a, b, true, false), share);
    const Tensor own = ops::mean(ops::multiply(a, b), {0});
    const Tensor invariance = ops::sum(ops::square(ops::affine(own, -1.0, 1.0)));
    const Tensor redundancy = ops::subtract(ops::sum(ops::square(correlations)), ops::sum(ops::square(own)));
    const Tensor total = ops::add(invariance, ops::affine(redundancy, p_.redundancy));
    return {total, {{"invariance", invariance}, {"redundancy", redundancy}}};
  }

 private:
  /// A view's components over all processes' objects [N, E], with mean 0 and variance 1.
  Tensor standardised(LossContext& context, size_t view) const {
    const Tensor z = ops::all_gather((*projectors_[view])(context.embed(views_[view])), context.communicator());
    if (z.size(0) < 2) throw Error("[barlow_twins] needs a batch of at least 2 objects, found 1");
    const Tensor centred = ops::subtract(z, ops::mean(z, {0}, true));
    const Tensor variances = ops::mean(ops::square(centred), {0}, true);
    return ops::divide(centred, ops::sqrt(ops::affine(variances, 1.0, epsilon)));
  }

  static constexpr double epsilon = 1e-5;  ///< of the batch normalisation that standardises in the published code
  Parameters p_;
  std::vector<std::string> views_;
  std::vector<std::unique_ptr<nn::Mlp>> projectors_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::BarlowTwins)
