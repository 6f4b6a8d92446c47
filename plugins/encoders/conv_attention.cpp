// Convolutions and attention on spectra (after Serrà et al. 2018 and Melchior et al. 2023), the supervised baseline
// that AstroCLIP compares with, under its published parameter names: of the last convolution's channels one half says
// where in the spectrum to look at the other half.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "nn/convolution.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

constexpr int64_t filters[] = {8, 16, 16, 32};
constexpr int64_t windows[] = {5, 10, 20, 40};
constexpr int64_t features = filters[3] / 2;

struct ConvAttentionParameters {
  int64_t pixels = 7781;
  std::vector<int64_t> hidden = {32, 32};
  int64_t width = 32;
  double dropout = 0.0;
};

/// A convolution, each spectrum's channels normalised by themselves, and PReLU.
class Block final : public nn::Module {
 public:
  Block(int64_t in, int64_t out, int64_t window, double dropout)
      : dropout_(dropout),
        convolution_({.in = in, .out = out, .window = window, .padding = window / 2}),
        activation_(out) {
    declare_dropout(dropout);
    declare_recomputation();
    child("0", convolution_);
    child("2", activation_);
  }

  /// x [B, L, in] → [B, L or L + 1, out]
  Tensor operator()(const Tensor& x) const {
    return recomputed([this, x] {
      const Tensor y = activation_(ops::instance_norm(convolution_(x), 1e-5));
      return training() ? ops::dropout(y, dropout_, dropout_seed()) : y;
    });
  }

 private:
  double dropout_;
  nn::Conv1d convolution_;
  nn::PRelu activation_;
};

/// Pixels → features, each weighted by how much of the attention its position has.
class Backbone final : public nn::Module {
 public:
  explicit Backbone(double dropout) {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i] = std::make_unique<Block>(i == 0 ? 1 : filters[i - 1], filters[i], windows[i], dropout);
      child("conv" + std::to_string(i + 1), *blocks_[i]);
    }
  }

  /// x [B, L, 1] → [B, positions, features]
  Tensor operator()(Tensor x) const {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      x = (*blocks_[i])(x);
      if (i + 1 < blocks_.size()) x = nn::max_pool1d(x, windows[i], windows[i], windows[i] / 2);
    }
    const Tensor scores = ops::permute(ops::narrow(x, 2, features, features), {0, 2, 1});
    return ops::narrow(x, 2, 0, features) * ops::permute(ops::softmax(scores), {0, 2, 1});
  }

 private:
  std::array<std::unique_ptr<Block>, 4> blocks_;
};

/// Linear layers with PReLU and dropout between, numbered as torch.nn.Sequential does: `0`, `1`, `3`, `4`, `6`.
class Head final : public nn::Module {
 public:
  explicit Head(const ConvAttentionParameters& p) : dropout_(p.dropout) {
    declare_dropout(p.dropout);
    std::vector<int64_t> widths = p.hidden;
    widths.push_back(p.width);
    int64_t in = features;
    for (size_t i = 0; i < widths.size(); ++i) {
      linear_.push_back(std::make_unique<nn::Linear>(in, widths[i], nn::uniform_fan_in(in), nn::uniform_fan_in(in)));
      child(std::to_string(3 * i), *linear_.back());
      in = widths[i];
      if (i + 1 == widths.size()) break;
      activations_.push_back(std::make_unique<nn::PRelu>(in));
      child(std::to_string(3 * i + 1), *activations_.back());
    }
  }

  /// x [B, features] → [B, width]
  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (size_t i = 0; i < activations_.size(); ++i) {
      y = (*activations_[i])((*linear_[i])(y));
      if (training()) y = ops::dropout(y, dropout_, dropout_seed());
    }
    return (*linear_.back())(y);
  }

 private:
  double dropout_;
  std::vector<std::unique_ptr<nn::Linear>> linear_;
  std::vector<std::unique_ptr<nn::PRelu>> activations_;
};

/// Its tokens are pixels.
class ConvAttention final : public Encoder, public TokenGrid {
 public:
  using Parameters = ConvAttentionParameters;

  static const config::Schema<Parameters>& schema() {
    using config::between;
    static const auto schema =
        config::Schema<Parameters>("Convolutions and attention on spectra, AstroCLIP's supervised baseline.")
            .field("pixels", &Parameters::pixels, "flux values of a spectrum", between(1000, 1000000))
            .field("hidden", &Parameters::hidden, "hidden widths of the network on the attended features",
                   config::each(between(1, 65536)))
            .field("width", &Parameters::width, "width of the embedding", between(1, 65536))
            .field("dropout", &Parameters::dropout, "after each activation", between(0.0, 0.99))
            .example(R"(
[encoders.spectrum]
plugin = "conv_attention"
width = 256
)");
    return schema;
  }

  explicit ConvAttention(const Parameters& parameters)
      : p_(parameters), backbone_(parameters.dropout), head_(parameters) {
    child("backbone", backbone_);
    child("mlp", head_);
  }

  std::string modality() const override { return "spectrum"; }
  Shape input_shape() const override { return {p_.pixels}; }
  Shape token_shape() const override { return {p_.pixels, 1}; }
  int64_t dim() const override { return features; }
  int64_t embedding_width() const override { return p_.width; }

  Tensor tokenize(const Tensor& raw) const override {
    if (raw.rank() != 2 || raw.size(1) != p_.pixels) {
      fail("spectra must be [batch, " + std::to_string(p_.pixels) + "], found " + raw.shape().str());
    }
    return ops::reshape(raw, {raw.size(0), p_.pixels, 1});
  }
  Tensor token_grid(const Tensor& raw) const override { return tokenize(raw); }

  /// Hidden pixels are 0.
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm) const override {
    Tensor x = tokens;
    if (mask.defined()) x = x * (1 - ops::reshape(mask, x.shape()));
    return {{}, backbone_(x)};
  }

  Tensor pool(const Encoded& encoded) const override { return ops::sum(encoded.tokens, {1}); }
  Tensor embed(const Encoded& encoded) const override { return head_(pool(encoded)); }

 private:
  Parameters p_;
  Backbone backbone_;
  Head head_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Encoder, astroclip::ConvAttention)
