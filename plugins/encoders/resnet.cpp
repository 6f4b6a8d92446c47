// Residual network on images (He et al. 2016, ResNet-18 and ResNet-34), the supervised baseline that AstroCLIP compares
// with: the parameter names are torchvision's.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "data/survey.h"
#include "nn/convolution.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

struct ResnetParameters {
  int64_t image = 144;
  int64_t channels = std::ssize(data::published_bands);
  int64_t dim = 64;
  std::vector<int64_t> blocks = {2, 2, 2, 2};
  int64_t width = 0;

  /// Channels after each stage: doubled from one to the next.
  int64_t dim_of(size_t stage) const { return dim << stage; }
  int64_t features() const { return dim_of(blocks.size() - 1); }
};

/// He et al. 2015, for what comes out of the layer: normal with variance 2/(out · window²).
nn::ConvolutionOptions convolution(int64_t in, int64_t out, int64_t window, int64_t stride) {
  const double variance = 2.0 / static_cast<double>(out * window * window);
  return {.in = in,
          .out = out,
          .window = window,
          .stride = stride,
          .padding = window / 2,
          .weight = nn::Init::normal(std::sqrt(variance))};
}

/// relu(norm(conv(relu(norm(conv(x))))) + shortcut), both convolutions 3×3.
class BasicBlock final : public nn::Module {
 public:
  BasicBlock(int64_t in, int64_t out, int64_t stride)
      : first_(convolution(in, out, 3, stride), "conv1", "bn1"), second_(convolution(out, out, 3, 1), "conv2", "bn2") {
    declare_recomputation();
    child("", first_);
    child("", second_);
    if (in == out && stride == 1) return;
    shortcut_ = std::make_unique<nn::ConvNorm2d>(convolution(in, out, 1, stride), "downsample.0", "downsample.1");
    child("", *shortcut_);
  }

  /// x [B, H, W, in] → [B, H/stride, W/stride, out]
  Tensor operator()(const Tensor& x, ops::Readers readers) const {
    return recomputed([this, x, readers] {
      constexpr auto products = ops::Readers::products;
      const Tensor beside = shortcut_ ? (*shortcut_)(x, false, {}, products) : x;
      return second_(first_(x, true, {}, products), true, beside, readers);
    });
  }

 private:
  nn::ConvNorm2d first_, second_;
  std::unique_ptr<nn::ConvNorm2d> shortcut_;
};

/// Pixels → features: everything of torchvision's model but its last linear layer.
class Backbone final : public nn::Module {
 public:
  explicit Backbone(const ResnetParameters& p) : stem_(convolution(p.channels, p.dim, 7, 2), "conv1", "bn1") {
    child("", stem_);
    int64_t in = p.dim;
    for (size_t stage = 0; stage < p.blocks.size(); ++stage) {
      for (int64_t i = 0; i < p.blocks[stage]; ++i) {
        const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        blocks_.push_back(std::make_unique<BasicBlock>(in, p.dim_of(stage), stride));
        child("layer" + std::to_string(stage + 1) + "." + std::to_string(i), *blocks_.back());
        in = p.dim_of(stage);
      }
    }
  }

  /// images [B, H, W, channels] → [B, positions, features]
  Tensor operator()(const Tensor& images) const {
    constexpr auto products = ops::Readers::products;
    Tensor x = ops::max_pool(stem_(images, true, {}, products), {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    for (const auto& block : blocks_) x = (*block)(x, block == blocks_.back() ? ops::Readers::any : products);
    return ops::reshape(x, {x.size(0), x.size(1) * x.size(2), x.size(3)});
  }

 private:
  nn::ConvNorm2d stem_;
  std::vector<std::unique_ptr<BasicBlock>> blocks_;
};

/// Its tokens are pixels.
class Resnet final : public Encoder, public TokenGrid {
 public:
  using Parameters = ResnetParameters;

  static const config::Schema<Parameters>& schema() {
    using config::between;
    static const auto schema =
        config::Schema<Parameters>(
            "Residual convolutional network on images, in the layout of torchvision's ResNet-18.")
            .field("image", &Parameters::image, "side of the input in pixels", between(1, 4096))
            .field("channels", &Parameters::channels,
                   "planes of the input; as many as the bands that [dataset] names, where it names them and this key "
                   "is not set",
                   between(1, 64))
            .field("dim", &Parameters::dim, "channels of the first stage; doubled in each of the others",
                   between(1, 4096))
            .field("blocks", &Parameters::blocks, "residual blocks of each stage; [3, 4, 6, 3] is ResNet-34",
                   config::each(between(1, 100)))
            .field("width", &Parameters::width, "width of the embedding, by a linear layer; 0: the mean feature itself",
                   between(0, 65536))
            .check([](const Parameters& p) {
              return !p.blocks.empty() && p.blocks.size() <= 8 ? "" : "'blocks' must name one to eight stages";
            })
            .example(R"(
[encoders.image]
plugin = "resnet"
image = 96
blocks = [2, 2, 2, 2]
width = 256
)");
    return schema;
  }

  explicit Resnet(const Parameters& parameters) : p_(parameters), backbone_(parameters) {
    child("backbone", backbone_);
    if (p_.width == 0) return;
    const nn::Init start = nn::uniform_fan_in(p_.features());
    head_ = std::make_unique<nn::Linear>(p_.features(), p_.width, start, start);
    child("fc", *head_);
  }

  std::string modality() const override { return "image"; }
  Shape input_shape() const override { return {p_.channels, p_.image, p_.image}; }
  Shape token_shape() const override { return {p_.image * p_.image, p_.channels}; }
  int64_t dim() const override { return p_.features(); }
  int64_t embedding_width() const override { return head_ ? p_.width : p_.features(); }

  /// Pixels in row order; square crops of other sizes are welcome.
  Tensor tokenize(const Tensor& raw) const override {
    if (raw.rank() != 4 || raw.size(1) != p_.channels || raw.size(2) != raw.size(3)) {
      fail("images must be [batch, " + std::to_string(p_.channels) + ", side, side], found " + raw.shape().str());
    }
    return ops::reshape(ops::permute(raw, {0, 2, 3, 1}), {raw.size(0), raw.size(2) * raw.size(3), p_.channels});
  }
  Tensor token_grid(const Tensor& raw) const override { return tokenize(raw); }

  /// Hidden pixels are black.
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm) const override {
    const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(tokens.size(1)))));
    Tensor x = tokens;
    if (mask.defined()) x = x * (1 - ops::reshape(mask, {x.size(0), x.size(1), 1}));
    return {{}, backbone_(ops::reshape(x, {x.size(0), side, side, p_.channels}))};
  }

  Tensor pool(const Encoded& encoded) const override { return ops::mean(encoded.tokens, {1}); }
  Tensor embed(const Encoded& encoded) const override {
    const Tensor features = pool(encoded);
    return head_ ? (*head_)(features) : features;
  }

 private:
  Parameters p_;
  Backbone backbone_;
  std::unique_ptr<nn::Linear> head_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Encoder, astroclip::Resnet)
