// Symmetric contrastive loss between two modalities (Radford et al. 2021, "Learning transferable visual models from
// natural language supervision"), as AstroCLIP uses it: cosine logits times a fixed factor.
#include <cmath>
#include <numeric>
#include <vector>

#include "api/two_towers.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Clip final : public Loss {
 public:
  struct Parameters {
    double logit_scale = 15.5;
    bool learnable = false;
    double largest_scale = 100.0;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    using config::above;
    static const auto schema =
        config::Schema<Parameters>("Symmetric cross-entropy over the cosine similarities of a batch (InfoNCE).")
            .field("logit_scale", &Parameters::logit_scale, "factor on the cosines; the start when it is learnable",
                   above(0.0))
            .field("learnable", &Parameters::learnable, "learn the factor, as its logarithm")
            .field("largest_scale", &Parameters::largest_scale, "bound on a learnable factor", above(0.0))
            .field("augment", &Parameters::augment, "encode the dataset's augmented views")
            .check([](const Parameters& p) -> std::string {
              return p.logit_scale <= p.largest_scale ? "" : "'logit_scale' must not exceed 'largest_scale'";
            });
    return schema;
  }

  explicit Clip(const Parameters& parameters) : p_(parameters) {
    if (p_.learnable) {
      parameter("log_logit_scale", log_scale_, {}, nn::Init::constant(std::log(p_.logit_scale)));
    }
  }

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override { views_ = two_aligned_modalities(setup, "clip"); }

  LossValue forward(LossContext& context) override {
    const Tensor a = ops::normalize_rows(context.embed(views_[0]), smallest_embedding_norm);
    const Tensor b = ops::normalize_rows(context.embed(views_[1]), smallest_embedding_norm);
    Communicator& communicator = context.communicator();
    const Tensor forward_loss = one_way(a, ops::all_gather(b, communicator), communicator);
    const Tensor backward_loss = one_way(b, ops::all_gather(a, communicator), communicator);
    const Tensor total = ops::affine(ops::add(forward_loss, backward_loss), 0.5);
    LossValue value{total, {{"clip", total}}};
    if (p_.learnable) value.terms.emplace_back("logit_scale", scale().detach());
    return value;
  }

 private:
  Tensor scale() const {
    const Tensor bound = ops::affine(log_scale_.detach(), 0.0, -std::log(p_.largest_scale));
    return ops::exp(ops::negate(ops::maximum(ops::negate(log_scale_), bound)));
  }

  /// Mean cross-entropy of each row finding its own partner among all.
  Tensor one_way(const Tensor& queries, const Tensor& keys, const Communicator& communicator) const {
    const Tensor cosines = ops::matmul(queries, keys, false, true);
    const Tensor logits = p_.learnable ? ops::multiply(cosines, scale()) : ops::affine(cosines, p_.logit_scale);
    std::vector<int64_t> own(static_cast<size_t>(queries.size(0)));
    std::iota(own.begin(), own.end(), communicator.rank() * queries.size(0));
    const Tensor targets = Tensor::from_host(own, {queries.size(0)}, queries.device());
    return ops::mean(ops::cross_entropy(logits, targets));
  }

  Parameters p_;
  Tensor log_scale_;
  std::vector<std::string> views_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, "clip", astroclip::Clip)
