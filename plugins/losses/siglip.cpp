// Pairwise sigmoid loss (Zhai et al. 2023, "Sigmoid loss for language image pre-training"): every pair of a batch is a
// binary question, with a learned temperature and bias.
#include <cmath>
#include <vector>

#include "api/two_towers.h"
#include "ops/ops.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Siglip final : public Loss {
 public:
  struct Parameters {
    double scale = 10.0;
    double bias = -10.0;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Sigmoid loss over all pairs of a batch, with learned scale and bias.")
            .field("scale", &Parameters::scale, "factor on the cosines at the start", config::above(0.0))
            .field("bias", &Parameters::bias, "added to the scaled cosines at the start")
            .field("augment", &Parameters::augment, "encode the dataset's augmented views")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "siglip", bias = -10.0 }
)");
    return schema;
  }

  explicit Siglip(const Parameters& parameters) : p_(parameters) {
    parameter("log_scale", log_scale_, {}, nn::Init::constant(std::log(p_.scale)));
    parameter("bias", bias_, {}, nn::Init::constant(p_.bias));
  }

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override { views_ = two_aligned_modalities(setup, "siglip"); }

  LossValue forward(LossContext& context) override {
    const Tensor a = ops::normalize_rows(context.embed(views_[0]), smallest_embedding_norm);
    const Tensor b =
        ops::all_gather(ops::normalize_rows(context.embed(views_[1]), smallest_embedding_norm), context.communicator());
    const Tensor scale = ops::exp(log_scale_);
    const Tensor logits = ops::add(ops::multiply(ops::matmul(a, b, false, true), scale), bias_);
    const Tensor signs = pair_signs(context, a.size(0), b.size(0));
    const Tensor pairs = ops::log_sigmoid(ops::multiply(logits, signs));
    const Tensor total = ops::affine(ops::sum(pairs), -1.0 / static_cast<double>(a.size(0)));
    return {total, {{"siglip", total}, {"logit_scale", scale.detach()}, {"logit_bias", bias_.detach()}}};
  }

 private:
  /// +1 where row and column are the same galaxy, −1 elsewhere.
  static Tensor pair_signs(const LossContext& context, int64_t rows, int64_t columns) {
    std::vector<float> signs(static_cast<size_t>(rows * columns), -1.0F);
    const int64_t first = context.communicator().rank() * rows;
    for (int64_t i = 0; i < rows; ++i) signs[static_cast<size_t>(i * columns + first + i)] = 1.0F;
    return context.upload(signs, {rows, columns});
  }

  Parameters p_;
  Tensor log_scale_, bias_;
  std::vector<std::string> views_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Siglip)
