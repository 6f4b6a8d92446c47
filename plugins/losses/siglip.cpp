// Pairwise sigmoid loss (Zhai et al. 2023, "Sigmoid loss for language image pre-training"): every pair of a batch is a
// binary question, with a learned temperature and bias.
#include <cmath>

#include "api/pair_loss.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Siglip final : public PairLoss {
 public:
  struct Parameters : PairParameters {
    double logit_scale = 10.0;
    double logit_bias = -10.0;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        pair_schema<Parameters>("Sigmoid loss over all pairs of a batch, with learned scale and bias.")
            .field("logit_scale", &Parameters::logit_scale, "initial factor on the cosines", config::above(0.0))
            .field("logit_bias", &Parameters::logit_bias, "initial bias, added to the scaled cosines")
            .renamed("scale", "logit_scale")
            .renamed("bias", "logit_bias")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "siglip", logit_bias = -10.0 }
)");
    return schema;
  }

  explicit Siglip(const Parameters& parameters) : PairLoss(parameters) {
    parameter("log_scale", log_scale_, {}, nn::Init::constant(std::log(parameters.logit_scale)));
    parameter("bias", bias_, {}, nn::Init::constant(parameters.logit_bias));
  }

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext& context) const override {
    const Tensor scale = ops::exp(log_scale_);
    const Tensor logits = ops::matmul_nt(a.own, b.all) * scale + bias_;
    const Tensor signs = own_or_other(context, logits.size(0), logits.size(1), 1.0F, -1.0F);
    const Tensor total = -ops::sum(ops::log_sigmoid(logits * signs)) / logits.size(0);
    return {total, {{plugin_name(), total}, {"logit_scale", scale.detach()}, {"logit_bias", bias_.detach()}}};
  }

  Tensor log_scale_, bias_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Siglip)
