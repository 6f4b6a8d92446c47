// A small convolutional network on images: patches of a few pixels become tokens (as in ConvNeXt, Liu et al. 2022), and
// residual 3×3 convolutions (He et al. 2016) let each token see its neighbours.
#include <nn/convolution.h>
#include <nn/layers.h>
#include <ops/operators.h>
#include <plugin/record.h>

#include <memory>
#include <vector>

namespace {

using namespace astroclip;

struct MyEncoderParameters {
  int64_t image = 48;
  int64_t patch = 4;
  int64_t channels = 3;
  int64_t dim = 64;
  int64_t depth = 4;
  int64_t width = 64;

  int64_t side() const { return image / patch; }
  int64_t patch_values() const { return channels * patch * patch; }
};

/// A linear layer from `in` values with the initial weights of torch.nn.Linear.
nn::Linear linear(int64_t in, int64_t out) { return {in, out, nn::uniform_fan_in(in), nn::uniform_fan_in(in)}; }

/// x + gelu(conv(norm(x))) on a square grid of tokens.
class Block final : public nn::Module {
 public:
  explicit Block(int64_t dim) : norm_(dim, 1e-6), convolution_({.in = dim, .out = dim, .window = 3, .padding = 1}) {
    child("norm", norm_);
    child("convolution", convolution_);
  }

  /// x [B, side, side, dim] → [B, side, side, dim]
  Tensor operator()(const Tensor& x) const { return x + ops::gelu(convolution_(norm_(x))); }

 private:
  nn::LayerNorm norm_;
  nn::Conv2d convolution_;
};

/// Everything below the head; `freeze = ["image.backbone"]` keeps it as it is.
class Backbone final : public nn::Module {
 public:
  explicit Backbone(const MyEncoderParameters& p)
      : side_(p.side()), patches_(linear(p.patch_values(), p.dim)), norm_(p.dim, 1e-6) {
    child("patches", patches_);
    for (int64_t i = 0; i < p.depth; ++i) {
      blocks_.push_back(std::make_unique<Block>(p.dim));
      child("blocks." + std::to_string(i), *blocks_.back());
    }
    child("norm", norm_);
  }

  /// tokens [B, T, F] → [B, T, dim]; where `mask` [B, T] is 1 a token is hidden.
  Tensor operator()(const Tensor& tokens, const Tensor& mask) const {
    Tensor x = patches_(tokens);
    if (mask.defined()) x = x * (1 - ops::reshape(mask, {x.size(0), x.size(1), 1}));
    const Shape sequence = x.shape();
    x = ops::reshape(x, {x.size(0), side_, side_, x.size(2)});
    for (const auto& block : blocks_) x = (*block)(x);
    return norm_(ops::reshape(x, sequence));
  }

 private:
  int64_t side_;
  nn::Linear patches_;
  std::vector<std::unique_ptr<Block>> blocks_;
  nn::LayerNorm norm_;
};

class MyEncoder final : public Encoder {
 public:
  using Parameters = MyEncoderParameters;

  static const config::Schema<Parameters>& schema() {
    using config::between;
    static const auto schema =
        config::Schema<Parameters>("Small convolutional network on images.")
            .field("image", &Parameters::image, "side of the input in pixels; a multiple of patch", between(1, 4096))
            .field("patch", &Parameters::patch, "side of a patch in pixels", between(1, 512))
            .field("channels", &Parameters::channels, "planes of the input", between(1, 64))
            .field("dim", &Parameters::dim, "width of a token", between(1, 16384))
            .field("depth", &Parameters::depth, "residual convolutions", between(0, 1000))
            .field("width", &Parameters::width, "width of the embedding", between(1, 65536))
            .check([](const Parameters& p) { return p.image % p.patch == 0 ? "" : "'patch' must divide 'image'"; })
            .example(R"(
[encoders.image]
plugin = "my_encoder"
image = 48
patch = 8
dim = 64
)");
    return schema;
  }

  explicit MyEncoder(const Parameters& parameters)
      : p_(parameters), backbone_(parameters), head_(linear(parameters.dim, parameters.width)) {
    child("backbone", backbone_);
    child("head", head_);
  }

  std::string modality() const override { return "image"; }
  Shape input_shape() const override { return {p_.channels, p_.image, p_.image}; }
  Shape token_shape() const override { return {p_.side() * p_.side(), p_.patch_values()}; }
  int64_t dim() const override { return p_.dim; }
  int64_t embedding_width() const override { return p_.width; }

  /// Patches in row order, each as (channel, row, column).
  Tensor tokenize(const Tensor& raw) const override {
    const int64_t batch = raw.size(0), side = p_.side();
    const Tensor blocks = ops::reshape(raw, {batch, p_.channels, side, p_.patch, side, p_.patch});
    return ops::reshape(ops::permute(blocks, {0, 2, 4, 1, 3, 5}), {batch, side * side, p_.patch_values()});
  }

  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm) const override {
    return {{}, backbone_(tokens, mask)};
  }
  Tensor pool(const Encoded& encoded) const override { return ops::mean(encoded.tokens, {1}); }
  Tensor embed(const Encoded& encoded) const override { return head_(pool(encoded)); }

 private:
  Parameters p_;
  Backbone backbone_;
  nn::Linear head_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Encoder, MyEncoder)
