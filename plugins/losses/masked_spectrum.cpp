// Masked modelling of token sequences, as AstroCLIP pretrains its spectrum encoder (Parker et al. 2024, section 3.2):
// spans of tokens are set to zero and reconstructed from the rest.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "api/loss.h"
#include "api/token_values.h"
#include "data/survey.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class MaskedSpectrum final : public Loss {
 public:
  struct Parameters {
    int64_t spans = 6;
    int64_t span_length = 50;
    double fraction = 0.0;
    double random = 0.0;
    std::string encoder = "spectrum";
    bool augment = false;
    std::string observed;
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    using config::between;
    static const auto schema =
        config::Schema<Parameters>("Mean squared error of the tokens that were hidden from the encoder.")
            .field("spans", &Parameters::spans, "hidden spans, one at random in each equal section of the sequence",
                   at_least(0))
            .field("span_length", &Parameters::span_length, "tokens of a hidden span", at_least(1))
            .field("fraction", &Parameters::fraction,
                   "share of the tokens that spans hide, which gives their number in place of 'spans'; 0: as 'spans' "
                   "says",
                   between(0.0, 1.0))
            .field("random", &Parameters::random, "share of the tokens that are hidden one by one beside spans",
                   between(0.0, 1.0))
            .field("encoder", &Parameters::encoder, "encoder whose tokens are modelled")
            .field("augment", &Parameters::augment, "reconstruct augmented views, as [dataset.views] describes them")
            .field("observed", &Parameters::observed,
                   "a field that is 0 where nothing was measured (\"spectrum_ivar\"): what is hidden there does not "
                   "count; none: all of it counts")
            .check([](const Parameters& p) {
              const bool hides = p.spans > 0 || p.fraction > 0.0 || p.random > 0.0;
              return hides ? "" : "'spans', 'fraction' or 'random' must be above 0: nothing is hidden";
            })
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
    const int64_t spans = spans_in(tokens);
    if (spans * p_.span_length > tokens) {
      fail(fmt::format("{} spans of {} tokens do not fit into {} tokens", spans, p_.span_length, tokens));
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

  /// The spectrum and, where it was hidden, what the encoder makes of the rest.
  std::vector<LossFigure> figures(LossContext& context) override {
    const Tensor raw = context.raw(view);
    const auto* grid = dynamic_cast<const TokenGrid*>(&context.encoder(view));
    if (grid == nullptr || raw.rank() != 2) return {};
    const Tensor tokens = context.tokens(view);
    const Tensor mask = draw_mask(context, tokens.size(0), tokens.size(1));
    const Encoded encoded = context.encode(view, mask, TokenForm::pretraining);
    const Tensor predicted = ability<Reconstruction>(context.encoder(view)).reconstruct(encoded);
    const std::vector<int64_t> pixels = values_of_entries(*grid, raw);
    std::vector<LossFigure> all;
    for (int64_t object = 0; object < raw.size(0); ++object) {
      const auto row = [&](const Tensor& of_all) { return of_all.view_rows(object, object + 1).to_doubles(); };
      all.push_back(figure_of(row(raw), row(tokens), row(predicted), row(mask), pixels));
      all.back().object = object;
    }
    return all;
  }

 private:
  static constexpr const char* view = "masked";
  static constexpr const char* observed = "observed";

  int64_t spans_in(int64_t tokens) const {
    if (p_.fraction == 0.0) return p_.spans;
    const double wanted = p_.fraction * static_cast<double>(tokens) / static_cast<double>(p_.span_length);
    return std::max<int64_t>(1, std::llround(wanted));
  }

  /// [B, T], 1 where hidden: one span in each of `spans` sections of T/spans tokens, and single tokens of those
  /// between. Section i begins at ⌊i·T/spans⌋, and the last place that would fit into it is never drawn, as in the
  /// published code.
  Tensor draw_mask(LossContext& context, int64_t batch, int64_t tokens) const {
    std::vector<float> mask(static_cast<size_t>(batch * tokens), 0.0F);
    const int64_t spans = spans_in(tokens);
    for (int64_t sample = 0; sample < batch; ++sample) {
      Rng rng = context.rng(RngStream::masks, sample);
      const std::span own = std::span(mask).subspan(static_cast<size_t>(sample * tokens), static_cast<size_t>(tokens));
      for (int64_t span = 0; span < spans; ++span) {
        const int64_t start = span * tokens / spans + rng.below(std::max<int64_t>(1, tokens / spans - p_.span_length));
        std::fill_n(own.begin() + start, p_.span_length, 1.0F);
      }
      if (p_.random > 0.0) hide_single(own, rng);
    }
    return context.upload(mask, {batch, tokens});
  }

  void hide_single(std::span<float> mask, Rng& rng) const {
    std::vector<size_t> seen;
    for (size_t token = 0; token < mask.size(); ++token) {
      if (mask[token] == 0.0F) seen.push_back(token);
    }
    rng.shuffle(std::span(seen));
    const double wanted = std::max(1.0, std::round(p_.random * static_cast<double>(mask.size())));
    seen.resize(std::min(seen.size(), static_cast<size_t>(wanted)));
    for (const size_t token : seen) mask[token] = 1.0F;
  }

  /// Of one object. `pixels` says which pixel an entry of its tokens holds.
  static LossFigure figure_of(const std::vector<double>& raw, const std::vector<double>& tokens,
                              const std::vector<double>& predicted, const std::vector<double>& mask,
                              const std::vector<int64_t>& pixels) {
    LossFigure figure{
        .view = view,
        .x_label = "pixel",
        .x = {},
        .lines = {{"spectrum", raw}, {"reconstruction", values_predicted(raw, tokens, predicted, mask, pixels)}},
        .shaded = {}};
    const bool on_survey_grid = raw.size() == static_cast<size_t>(data::spectrum_pixels);
    if (on_survey_grid) figure.x_label = "vacuum wavelength [Å]";
    for (size_t pixel = 0; pixel < raw.size(); ++pixel) {
      const auto number = static_cast<int64_t>(pixel);
      figure.x.push_back(on_survey_grid ? data::wavelength_of(number) : static_cast<double>(number));
      const std::vector<double>& rebuilt = figure.lines[1].y;
      const bool hidden = !std::isnan(rebuilt[pixel]), was_hidden = pixel > 0 && !std::isnan(rebuilt[pixel - 1]);
      if (hidden && !was_hidden) figure.shaded.emplace_back(figure.x.back(), figure.x.back());
      if (hidden) figure.shaded.back().second = figure.x.back();
    }
    return figure;
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::MaskedSpectrum)
