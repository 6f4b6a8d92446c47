// The vision transformer of DINOv2 (Oquab et al. 2023) as AstroCLIP pretrains and aligns it, with its published
// parameter names.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "api/attention_weights.h"
#include "api/selected_tokens.h"
#include "base/error.h"
#include "data/survey.h"
#include "nn/head_config.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

struct VitParameters {
  int64_t image = 144;
  int64_t patch = 12;
  int64_t channels = std::ssize(data::published_bands);
  int64_t dim = 1024;
  int64_t depth = 24;
  int64_t heads = 16;
  int64_t hidden = 0;
  int64_t chunks = 4;
  bool class_token = true;
  int64_t registers = 0;
  double layer_scale = 1e-5;
  double epsilon = 1e-6;
  double dropout = 0.0;
  bool alignment_positions = false;
  nn::HeadParameters head;

  int64_t side() const { return image / patch; }
  int64_t patches() const { return side() * side(); }
  int64_t classes() const { return class_token ? 1 : 0; }
  int64_t patch_values() const { return channels * patch * patch; }
};

/// Keys' cubic kernel with a = −0.75, as PyTorch's bicubic interpolation.
double cubic(double distance) {
  constexpr double a = -0.75;
  const double x = std::abs(distance);
  if (x <= 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
  return 0.0;
}

/// Weights [to, from] that resample one axis of the position grid, borders repeated. DINOv2 passes the scale
/// (to + 0.1)/from, and that scale, not to/from, places the samples.
std::vector<double> resampling(int64_t from, int64_t to) {
  std::vector<double> weights(static_cast<size_t>(to * from), 0.0);
  const double scale = (static_cast<double>(to) + 0.1) / static_cast<double>(from);
  for (int64_t i = 0; i < to; ++i) {
    const double source = (static_cast<double>(i) + 0.5) / scale - 0.5;
    const auto base = static_cast<int64_t>(std::floor(source));
    for (int64_t tap = base - 1; tap <= base + 2; ++tap) {
      const int64_t clamped = std::clamp<int64_t>(tap, 0, from - 1);
      weights[static_cast<size_t>(i * from + clamped)] += cubic(source - static_cast<double>(tap));
    }
  }
  return weights;
}

nn::BlockOptions block_options(const VitParameters& p) {
  return {.dim = p.dim,
          .heads = p.heads,
          .hidden = p.hidden > 0 ? p.hidden : 4 * p.dim,
          .epsilon = p.epsilon,
          .layer_scale = p.layer_scale > 0.0 ? std::optional(p.layer_scale) : std::nullopt,
          .dropout = p.dropout,
          .input_weight = nn::Init::truncated_normal(0.02),
          .hidden_weight = nn::Init::truncated_normal(0.02)};
}

/// "blocks.C.I", C the chunk and I the block counted through all chunks; "blocks.I" for a single chunk.
std::string block_name(const VitParameters& p, int64_t block) {
  const std::string index = std::to_string(block);
  if (p.chunks <= 1) return "blocks." + index;
  return "blocks." + std::to_string(block / (p.depth / p.chunks)) + "." + index;
}

/// Patches → features: everything that the published "backbone" file holds.
class Backbone final : public nn::Module {
 public:
  explicit Backbone(const VitParameters& p) : p_(p), norm_(p.dim, p.epsilon) {
    if (p.class_token) parameter("cls_token", cls_token_, {1, 1, p.dim}, nn::Init::normal(1e-6));
    if (p.registers > 0) parameter("register_tokens", registers_, {1, p.registers, p.dim}, nn::Init::normal(1e-6));
    parameter("pos_embed", positions_, {1, p.classes() + p.patches(), p.dim}, nn::Init::truncated_normal(0.02));
    parameter("mask_token", mask_token_, {1, p.dim}, nn::Init::zeros());
    parameter("patch_embed.proj.weight", patch_weight_, {p.dim, p.channels, p.patch, p.patch},
              nn::uniform_fan_in(p.patch_values()));
    parameter("patch_embed.proj.bias", patch_bias_, {p.dim}, nn::uniform_fan_in(p.patch_values()));
    const nn::BlockNames names{.norm1 = "norm1",
                               .qkv = "attn.qkv",
                               .projection = "attn.proj",
                               .norm2 = "norm2",
                               .expand = "mlp.fc1",
                               .contract = "mlp.fc2",
                               .scale1 = "ls1.gamma",
                               .scale2 = "ls2.gamma"};
    for (int64_t i = 0; i < p.depth; ++i) {
      blocks_.push_back(std::make_unique<nn::TransformerBlock>(block_options(p), names));
      child(block_name(p, i), *blocks_.back());
    }
    child("norm", norm_);
  }

  /// patches [B, T, C·P·P] → features for `readers`, with class token, registers and positions or without all three.
  Encoded encode(const Tensor& patches, const Tensor& mask, bool with_positions, ops::Readers readers) const {
    const int64_t batch = patches.size(0), count = patches.size(1);
    Tensor x = enter(patches, mask, with_positions);
    for (const auto& block : blocks_) x = (*block)(x);
    x = norm_(x, readers);
    if (!with_positions) return {{}, x};
    const Tensor patch_tokens = ops::narrow(x, 1, p_.classes() + p_.registers, count);
    if (!p_.class_token) return {{}, patch_tokens};
    return {ops::reshape(ops::narrow(x, 1, 0, 1), {batch, p_.dim}), patch_tokens};
  }

  /// Class tokens [B, dim] and the features of `selected` patches of [B · T]: [M, dim].
  Encoded encode_selected(const Tensor& patches, const Tensor& mask, const std::vector<int64_t>& selected) const {
    const int64_t count = patches.size(1), before = p_.classes() + p_.registers, length = before + count;
    const int64_t classes = patches.size(0) * p_.classes(), chosen = std::ssize(selected);
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < classes; ++i) rows.push_back(i * length);
    for (const int64_t patch : selected) rows.push_back(patch / count * length + before + patch % count);
    if (rows.empty()) return {};
    const Tensor x = norm_(blocks_.back()->of_rows(before_last(patches, mask), rows));
    return {classes > 0 ? ops::narrow(x, 0, 0, classes) : Tensor(),
            chosen > 0 ? ops::narrow(x, 0, classes, chosen) : Tensor()};
  }

  /// The class token's attention weights over patches [B, T, C·P·P] in the last block: [B, heads, T].
  Tensor class_attention(const Tensor& patches) const {
    return ops::narrow(blocks_.back()->first_attention(before_last(patches, {})), 2, 1 + p_.registers, patches.size(1));
  }

 private:
  /// What the blocks take: [B, T', dim], with class token, registers and positions or without all three.
  Tensor enter(const Tensor& patches, const Tensor& mask, bool with_positions) const {
    Tensor x = ops::linear(patches, ops::reshape(patch_weight_, {p_.dim, p_.patch_values()}), patch_bias_);
    if (mask.defined()) x = hide(x, mask);
    if (!with_positions) return x;
    if (p_.class_token) x = ops::concat({ops::broadcast_to(cls_token_, {patches.size(0), 1, p_.dim}), x}, 1);
    x = x + positions_for(patches.size(1));
    return p_.registers > 0 ? with_registers(x) : x;
  }

  /// What the last block takes, with class token, registers and positions.
  Tensor before_last(const Tensor& patches, const Tensor& mask) const {
    Tensor x = enter(patches, mask, true);
    for (size_t i = 0; i + 1 < blocks_.size(); ++i) x = (*blocks_[i])(x);
    return x;
  }

  /// The mask token in place of masked patches.
  Tensor hide(const Tensor& x, const Tensor& mask) const {
    const Tensor hidden = ops::reshape(mask, {mask.size(0), mask.size(1), 1});
    return x * (1 - hidden) + hidden * mask_token_;
  }

  /// Registers (Darcet et al. 2024), which have no positions, between class token and patches.
  Tensor with_registers(const Tensor& x) const {
    const int64_t batch = x.size(0), classes = p_.classes();
    const Tensor registers = ops::broadcast_to(registers_, {batch, p_.registers, p_.dim});
    const Tensor patches = ops::narrow(x, 1, classes, x.size(1) - classes);
    if (classes == 0) return ops::concat({registers, patches}, 1);
    return ops::concat({ops::narrow(x, 1, 0, classes), registers, patches}, 1);
  }

  /// Positions [1, class token + count, dim] for a square crop of `count` patches.
  Tensor positions_for(int64_t count) const {
    if (count == p_.patches()) return positions_;
    const auto to = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(count))));
    if (to * to != count) throw Error("a crop must be square, found " + std::to_string(count) + " patches");
    const int64_t from = p_.side();
    Tensor& axis = axes_[to];
    if (!axis.defined() || axis.device() != positions_.device() || axis.dtype() != positions_.dtype()) {
      axis = Tensor::from_host(resampling(from, to), {to, from}, positions_.dtype(), positions_.device());
    }
    // Rows first ([from, from · dim]), then columns, by the same weights.
    const Tensor grid = ops::reshape(ops::narrow(positions_, 1, p_.classes(), from * from), {from, from * p_.dim});
    const Tensor rows = ops::reshape(ops::matmul(axis, grid), {to, from, p_.dim});
    const Tensor columns = ops::matmul(axis, ops::reshape(ops::permute(rows, {1, 0, 2}), {from, to * p_.dim}));
    const Tensor resampled = ops::permute(ops::reshape(columns, {to, to, p_.dim}), {1, 0, 2});
    const Tensor of_patches = ops::reshape(resampled, {1, count, p_.dim});
    if (!p_.class_token) return of_patches;
    return ops::concat({ops::narrow(positions_, 1, 0, 1), of_patches}, 1);
  }

  VitParameters p_;
  Tensor cls_token_, registers_, positions_, mask_token_, patch_weight_, patch_bias_;
  std::vector<std::unique_ptr<nn::TransformerBlock>> blocks_;
  nn::LayerNorm norm_;
  mutable std::map<int64_t, Tensor> axes_;  ///< weights that resample positions, by patches along a side of a crop
};

class Vit final : public Encoder, public SelectedTokens, public TokenGrid, public AttentionWeights {
 public:
  using Parameters = VitParameters;

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    using config::between;
    static const auto schema =
        config::Schema<Parameters>("Vision transformer on image patches, in the layout of DINOv2.")
            .field("image", &Parameters::image, "side of the input in pixels; a multiple of patch", between(1, 4096))
            .field("patch", &Parameters::patch, "side of a patch in pixels", between(1, 512))
            .field("channels", &Parameters::channels,
                   "planes of the input; as many as the bands that [dataset] names, where it names them and this key "
                   "is not set",
                   between(1, 64))
            .field("dim", &Parameters::dim, "width of a token", between(1, 16384))
            .field("depth", &Parameters::depth, "transformer blocks", between(1, 1000))
            .field("heads", &Parameters::heads, "attention heads; divides dim", between(1, 1024))
            .field("hidden", &Parameters::hidden, "hidden width of the MLPs; 0 means 4 · dim", at_least(0))
            .field("chunks", &Parameters::chunks, "chunks that block names are grouped in; divides depth",
                   between(1, 1000))
            .field("class_token", &Parameters::class_token,
                   "whether a class token goes before the patches; the embedding before alignment is the mean token "
                   "without it")
            .field("registers", &Parameters::registers, "register tokens, as in DINOv2 with registers", between(0, 64))
            .field("layer_scale", &Parameters::layer_scale,
                   "initial LayerScale factor; 0: no LayerScale, as in most ViTs of timm, torchvision and transformers",
                   between(0.0, 10.0))
            .field("epsilon", &Parameters::epsilon, "epsilon of the layer norms; transformers' ViT has 1e-12",
                   between(0.0, 0.1))
            .field("dropout", &Parameters::dropout, "dropout in the blocks", between(0.0, 0.99))
            .removed("drop_path", "a stage sets it: stochastic_depth = { rate = … }")
            .field(
                "alignment_positions", &Parameters::alignment_positions,
                "use class token, registers and positions in alignment too; the published towers were aligned without")
            .section("head", &Parameters::head, "the head that alignment trains", nn::head_schema())
            .check([](const Parameters& p) -> std::string {
              if (p.image % p.patch != 0) return "'patch' must divide 'image'";
              if (p.dim % p.heads != 0) return "'heads' must divide 'dim'";
              if (p.depth % p.chunks != 0) return "'chunks' must divide 'depth'";
              return "";
            })
            .example(R"(
[encoders.image]
plugin = "vit"
image = 96
patch = 12
dim = 192
depth = 8
heads = 3
head = { width = 256, heads = 4 }
)");
    return schema;
  }

  explicit Vit(const Parameters& parameters)
      : p_(parameters), backbone_(parameters), head_(nn::head_options(parameters.head, parameters.dim)) {
    child("backbone", backbone_);
    child("", head_);
  }

  std::string modality() const override { return "image"; }
  Shape input_shape() const override { return {p_.channels, p_.image, p_.image}; }
  Shape token_shape() const override { return {p_.patches(), p_.patch_values()}; }
  int64_t dim() const override { return p_.dim; }
  int64_t embedding_width() const override { return p_.head.width; }

  /// Patches in row order, each as (channel, row, column); square crops of other sizes are welcome.
  Tensor tokenize(const Tensor& raw) const override {
    const bool fits =
        raw.rank() == 4 && raw.size(1) == p_.channels && raw.size(2) == raw.size(3) && raw.size(2) % p_.patch == 0;
    if (!fits) {
      fail("images must be [batch, " + std::to_string(p_.channels) + ", side, side], side a multiple of " +
           std::to_string(p_.patch) + ", found " + raw.shape().str());
    }
    const int64_t side = raw.size(2) / p_.patch;
    const Tensor blocks = ops::reshape(raw, {raw.size(0), p_.channels, side, p_.patch, side, p_.patch});
    return ops::reshape(ops::permute(blocks, {0, 2, 4, 1, 3, 5}), {raw.size(0), side * side, p_.patch_values()});
  }

  Tensor token_grid(const Tensor& raw) const override { return tokenize(raw); }

  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const override {
    const bool aligns = form == TokenForm::alignment;
    return backbone_.encode(tokens, mask, !aligns || p_.alignment_positions,
                            aligns ? ops::Readers::pooling : ops::Readers::any);
  }

  Encoded encode_selected(const Tensor& tokens, const Tensor& mask,
                          const std::vector<int64_t>& selected) const override {
    return backbone_.encode_selected(tokens, mask, selected);
  }

  Tensor attention(const Tensor& tokens, TokenForm form) const override {
    if (form == TokenForm::alignment)
      return head_.attention(backbone_.encode(tokens, {}, p_.alignment_positions, ops::Readers::any).tokens);
    return p_.class_token ? backbone_.class_attention(tokens) : Tensor();
  }

  Tensor embed(const Encoded& encoded) const override { return head_(encoded.tokens); }
  Tensor pool(const Encoded& encoded) const override {
    return p_.class_token ? encoded.cls_token : ops::mean(encoded.tokens, {1});
  }

 private:
  Parameters p_;
  Backbone backbone_;
  nn::CrossAttentionHead head_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Encoder, astroclip::Vit)
