// Masked modelling of token sequences, as AstroCLIP pretrains its spectrum encoder (Parker et al. 2024, section 3.2):
// spans of tokens are set to zero and reconstructed from the rest.
#include <algorithm>
#include <vector>

#include "api/loss.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class MaskedSpectrum final : public Loss {
 public:
  struct Parameters {
    int64_t spans = 6;
    int64_t span_length = 50;
    std::string encoder = "spectrum";
    bool augment = false;
    std::string observed;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        config::Schema<Parameters>("Mean squared error of the tokens that were hidden from the encoder.")
            .field("spans", &Parameters::spans, "hidden spans, one at random in each equal section of the sequence",
                   at_least(1))
            .field("span_length", &Parameters::span_length, "tokens of a hidden span", at_least(1))
            .field("encoder", &Parameters::encoder, "whose tokens are modelled")
            .field("augment", &Parameters::augment, "reconstruct augmented views, as [augmentation] describes them")
            .field("observed", &Parameters::observed,
                   "a field that is 0 where nothing was measured (\"spectrum_ivar\"): what is hidden there does not "
                   "count; none: all of it counts")
            .renamed("chunks", "spans")
            .renamed("width", "span_length")
            .renamed("modality", "encoder")
            .example(R"(
[[stages]]
name = "pretraining"
encoders = ["spectrum"]
loss = { plugin = "masked_spectrum", observed = "spectrum_ivar" }
)");
    return schema;
  }

  explicit MaskedSpectrum(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup&) const override {
    std::vector<ViewRequest> all = {{.name = view, .tower = p_.encoder, .augment = p_.augment}};
    if (!p_.observed.empty())
      all.push_back({.name = observed, .tower = p_.encoder, .field = p_.observed, .with = view});
    return all;
  }

  void attach(LossSetup& setup) override {
    const Encoder& encoder = setup.encoder(p_.encoder);
    ability<Reconstruction>(encoder);
    if (!p_.observed.empty()) ability<TokenGrid>(encoder);
    const int64_t tokens = encoder.token_shape()[0];
    if (p_.span_length > tokens / p_.spans) {
      fail(std::to_string(p_.spans) + " spans of " + std::to_string(p_.span_length) + " tokens do not fit into " +
           std::to_string(tokens) + " tokens");
    }
  }

  LossValue forward(LossContext& context) override {
    const Tensor tokens = context.tokens(view);
    const Tensor mask = draw_mask(context, tokens.size(0), tokens.size(1));
    const Encoder& encoder = context.encoder(view);
    const Encoded encoded = context.encode(view, mask, TokenForm::pretraining);
    const Tensor predicted = ability<Reconstruction>(encoder).reconstruct(encoded);
    // Entries count where hiding changed the input: those that were zero already carry no question.
    Tensor changed = ops::nonzero(tokens * ops::reshape(mask, {mask.size(0), mask.size(1), 1}));
    if (!p_.observed.empty()) {
      changed = changed * ops::nonzero(ability<TokenGrid>(encoder).token_grid(context.raw(observed)));
    }
    const Tensor loss = ops::mean(ops::square((predicted - tokens) * changed)) / ops::mean(changed);
    return {loss, {{"masked_error", loss}}};
  }

 private:
  static constexpr const char* view = "masked";
  static constexpr const char* observed = "observed";

  /// [B, T], 1 where hidden: one span in each of `spans` sections of T/spans tokens. Section i begins at ⌊i·T/spans⌋,
  /// and the last place that would fit into it is never drawn, as in the published code.
  Tensor draw_mask(LossContext& context, int64_t batch, int64_t tokens) const {
    std::vector<float> mask(static_cast<size_t>(batch * tokens), 0.0F);
    const int64_t section = tokens / p_.spans;
    for (int64_t sample = 0; sample < batch; ++sample) {
      Rng rng = context.rng(RngStream::masks, sample);
      for (int64_t span = 0; span < p_.spans; ++span) {
        const int64_t start = span * tokens / p_.spans + rng.below(std::max<int64_t>(1, section - p_.span_length));
        std::fill_n(mask.begin() + sample * tokens + start, p_.span_length, 1.0F);
      }
    }
    return context.upload(mask, {batch, tokens});
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::MaskedSpectrum)
