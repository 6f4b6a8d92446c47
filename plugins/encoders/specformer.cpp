// The spectrum transformer of AstroCLIP (Parker et al. 2024, section 3.2), with its published parameter names.
#include <cmath>
#include <memory>
#include <vector>

#include "api/attention_weights.h"
#include "nn/head_config.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

struct SpecformerParameters {
  int64_t pixels = 7781;
  int64_t window = 20;
  int64_t stride = 10;
  int64_t dim = 768;
  int64_t depth = 6;
  int64_t heads = 6;
  int64_t hidden = 0;
  int64_t max_len = 800;
  double dropout = 0.0;
  nn::HeadParameters head{.mlp_residual = true};

  int64_t windows() const { return (pixels - window) / stride + 1; }
  int64_t token_width() const { return window + 2; }
  int64_t tokens() const { return windows() + 1; }
};

nn::Init scaled_normal(double inputs) {
  const double deviation = 1.0 / std::sqrt(inputs);
  return nn::Init::truncated_normal(deviation, 3.0 * deviation);
}

nn::BlockOptions block_options(const SpecformerParameters& p) {
  const int64_t hidden = p.hidden > 0 ? p.hidden : 4 * p.dim;
  const auto depth = static_cast<double>(p.depth);
  return {.dim = p.dim,
          .heads = p.heads,
          .hidden = hidden,
          .epsilon = 1e-5,
          .layer_scale = {},
          .dropout = p.dropout,
          .input_weight = scaled_normal(2.0 * static_cast<double>(p.dim) * depth),
          .hidden_weight = scaled_normal(2.0 * static_cast<double>(hidden) * depth)};
}

/// Tokens → features: everything that the published "specformer" file holds.
class Backbone final : public nn::Module {
 public:
  explicit Backbone(const SpecformerParameters& p)
      : embed_(p.token_width(), p.dim, scaled_normal(static_cast<double>(p.dim)), nn::uniform_fan_in(p.token_width())),
        norm_(p.dim, 1e-5),
        head_(p.dim, p.token_width(), scaled_normal(static_cast<double>(p.dim))) {
    child("data_embed", embed_);
    parameter("position_embed.weight", positions_, {p.max_len, p.dim}, scaled_normal(static_cast<double>(p.dim)));
    const nn::BlockNames names{.norm1 = "layernorm1",
                               .qkv = "attention.attention",
                               .projection = "attention.projection",
                               .norm2 = "layernorm2",
                               .expand = "mlp.encoder",
                               .contract = "mlp.decoder",
                               .scale1 = "",
                               .scale2 = ""};
    for (int64_t i = 0; i < p.depth; ++i) {
      blocks_.push_back(std::make_unique<nn::TransformerBlock>(block_options(p), names));
      child("blocks." + std::to_string(i), *blocks_.back());
    }
    child("final_layernorm", norm_);
    child("head", head_);
  }

  /// tokens [B, T, F] → [B, T, dim] for `readers`
  Tensor encode(const Tensor& tokens, ops::Readers readers) const {
    Tensor x = embed_(tokens) + ops::narrow(positions_, 0, 0, tokens.size(1));
    for (const auto& block : blocks_) x = (*block)(x);
    return norm_(x, readers);
  }

  Tensor reconstruct(const Tensor& features) const { return head_(features); }

 private:
  nn::Linear embed_;
  Tensor positions_;
  std::vector<std::unique_ptr<nn::TransformerBlock>> blocks_;
  nn::LayerNorm norm_;
  nn::Linear head_;
};

class Specformer final : public Encoder, public Reconstruction, public TokenGrid, public AttentionWeights {
 public:
  using Parameters = SpecformerParameters;

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    using config::between;
    static const auto schema =
        config::Schema<Parameters>("Transformer on windows of a spectrum (AstroCLIP's Specformer).")
            .field("pixels", &Parameters::pixels, "flux values of a spectrum", at_least(2))
            .field("window", &Parameters::window, "pixels of a token", at_least(1))
            .field("stride", &Parameters::stride, "pixels from one token's start to the next", at_least(1))
            .field("dim", &Parameters::dim, "width of a token", between(1, 16384))
            .field("depth", &Parameters::depth, "transformer blocks", between(1, 1000))
            .field("heads", &Parameters::heads, "attention heads; divides dim", between(1, 1024))
            .field("hidden", &Parameters::hidden, "hidden width of the MLPs; 0 means 4 · dim", at_least(0))
            .field("max_len", &Parameters::max_len, "learned positions; at least the number of tokens", at_least(1))
            .field("dropout", &Parameters::dropout, "dropout in the blocks", between(0.0, 0.99))
            .renamed("layers", "depth")
            .section("head", &Parameters::head, "the head that alignment trains", nn::head_schema())
            .check([](const Parameters& p) -> std::string {
              if (p.dim % p.heads != 0) return "'heads' must divide 'dim'";
              if (p.window > p.pixels) return "'window' must not exceed 'pixels'";
              if (p.tokens() > p.max_len) {
                return "the spectrum makes " + std::to_string(p.tokens()) + " tokens, more than 'max_len'";
              }
              return "";
            })
            .example(R"(
[encoders.spectrum]
plugin = "specformer"
window = 20
stride = 10
dim = 192
heads = 3
head = { width = 256, heads = 4 }
)");
    return schema;
  }

  explicit Specformer(const Parameters& parameters)
      : p_(parameters), backbone_(parameters), head_(nn::head_options(parameters.head, parameters.dim)) {
    child("backbone", backbone_);
    child("", head_);
    for (int64_t token = 0; token < p_.windows(); ++token) {
      for (int64_t i = 0; i < p_.window; ++i) window_index_.push_back(token * p_.stride + i);
    }
  }

  std::string modality() const override { return "spectrum"; }
  Shape input_shape() const override { return {p_.pixels}; }
  Shape token_shape() const override { return {p_.tokens(), p_.token_width()}; }
  int64_t dim() const override { return p_.dim; }
  int64_t embedding_width() const override { return p_.head.width; }

  /// Standardised windows, each preceded by two zeros, after one token that carries mean and deviation.
  Tensor tokenize(const Tensor& raw) const override {
    const int64_t batch = raw.size(0);
    const auto zeros = [&](const Shape& shape) { return Tensor::zeros(shape, raw.dtype(), raw.device()); };
    const Tensor mean = ops::mean(raw, {1}, true);
    const Tensor centred = raw - mean;
    const Tensor variance = ops::sum(ops::square(centred), {1}, true) / (p_.pixels - 1);
    const Tensor deviation = ops::maximum(ops::sqrt(variance), smallest_deviation);
    const Tensor statistics = ops::concat({(mean - 2) / 2, (deviation - 2) / 8, zeros({batch, p_.window})}, 1);
    return ops::concat({ops::reshape(statistics, {batch, 1, p_.token_width()}),
                        ops::concat({zeros({batch, p_.windows(), 2}), windows_of(centred / deviation)}, 2)},
                       1);
  }

  Tensor token_grid(const Tensor& raw) const override {
    const int64_t batch = raw.size(0);
    const auto ones = [&](const Shape& shape) { return Tensor::zeros(shape, raw.dtype(), raw.device()) + 1; };
    return ops::concat(
        {ones({batch, 1, p_.token_width()}), ops::concat({ones({batch, p_.windows(), 2}), windows_of(raw)}, 2)}, 1);
  }

  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const override {
    const ops::Readers readers = form == TokenForm::alignment ? ops::Readers::pooling : ops::Readers::any;
    if (!mask.defined()) return {{}, backbone_.encode(tokens, readers)};
    return {{}, backbone_.encode(tokens * (1 - ops::reshape(mask, {mask.size(0), mask.size(1), 1})), readers)};
  }

  Tensor attention(const Tensor& tokens, TokenForm form) const override {
    return form == TokenForm::alignment ? head_.attention(backbone_.encode(tokens, ops::Readers::any)) : Tensor();
  }

  Tensor reconstruct(const Encoded& encoded) const override { return backbone_.reconstruct(encoded.tokens); }
  Tensor embed(const Encoded& encoded) const override { return head_(encoded.tokens); }
  Tensor pool(const Encoded& encoded) const override { return ops::mean(encoded.tokens, {1}); }

 private:
  static constexpr double smallest_deviation = 0.2;

  /// [B, pixels] → [B, windows, window]
  Tensor windows_of(const Tensor& flux) const {
    if (!uploaded_index_.defined() || uploaded_index_.device() != flux.device()) {
      uploaded_index_ = Tensor::from_host(window_index_, {std::ssize(window_index_)}, flux.device());
    }
    const Tensor pixels = ops::gather_rows(ops::permute(flux, {1, 0}), uploaded_index_);
    return ops::reshape(ops::permute(pixels, {1, 0}), {flux.size(0), p_.windows(), p_.window});
  }

  Parameters p_;
  Backbone backbone_;
  nn::CrossAttentionHead head_;
  std::vector<int64_t> window_index_;
  mutable Tensor uploaded_index_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Encoder, astroclip::Specformer)
