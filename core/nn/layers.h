#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/batch_norm.h"
#include "nn/module.h"
#include "ops/ops.h"

namespace astroclip::nn {

/// The initial weights and biases of torch.nn.Linear for `in` inputs: uniform in ±1/√in.
Init uniform_fan_in(int64_t in);
/// Glorot & Bengio 2010: uniform in ±√(6/(in + out)).
Init glorot_uniform(int64_t in, int64_t out);

/// x Wᵀ + b: `weight` [out, in], `bias` [out].
class Linear final : public Module {
 public:
  Linear(int64_t in, int64_t out, Init weight, Init bias = Init::zeros());
  /// x [..., in] → [..., out]
  Tensor operator()(const Tensor& x, const ops::LinearOptions& options = {}) const;

 private:
  Tensor weight_, bias_;
};

struct MlpOptions {
  double dropout = 0.0;     ///< after each ReLU
  bool batch_norm = false;  ///< before each ReLU
};

/// Linear layers with ReLU between: `layers.N.weight`, `layers.N.bias`, `norms.N.*`.
class Mlp final : public Module {
 public:
  /// From `in` through `widths`; the last one is the output width. Without widths it is the identity.
  Mlp(int64_t in, const std::vector<int64_t>& widths, MlpOptions options = {});
  /// x [..., in] → [..., last width]
  Tensor operator()(const Tensor& x) const;

 private:
  MlpOptions options_;
  std::vector<std::unique_ptr<Linear>> layers_;
  std::vector<std::unique_ptr<BatchNorm>> norms_;  ///< of each layer but the last, if any
};

/// Over the last axis: `weight`, `bias` [width].
class LayerNorm final : public Module {
 public:
  LayerNorm(int64_t width, double epsilon);
  Tensor operator()(const Tensor& x, ops::Readers readers = ops::Readers::any) const;

 private:
  double epsilon_;
  Tensor weight_, bias_;
};

/// Names of a transformer block's parts in the published files.
struct BlockNames {
  std::string norm1, qkv, projection, norm2, expand, contract;
  std::string scale1, scale2;  ///< of LayerScale
};

struct BlockOptions {
  int64_t dim = 0;
  int64_t heads = 1;
  int64_t hidden = 0;                 ///< width of the MLP's hidden layer
  double epsilon = 1e-5;              ///< of both layer norms
  std::optional<double> layer_scale;  ///< initial value; none: no LayerScale
  double dropout = 0.0;               ///< on both branches
  Init input_weight;                  ///< of the products from width dim
  Init hidden_weight;                 ///< of the product from width hidden
};

/// A pre-norm transformer block: x += s₁ · attention(norm(x)); x += s₂ · mlp(norm(x)), erf GELU. Takes stochastic depth
/// on both branches, and recomputation.
class TransformerBlock final : public Module {
 public:
  TransformerBlock(const BlockOptions& options, const BlockNames& names);
  /// x [B, T, dim] → [B, T, dim]
  Tensor operator()(const Tensor& x) const;
  /// The same with the branches of given samples only.
  Tensor operator()(const Tensor& x, const KeptSamples& attention, const KeptSamples& mlp) const;
  /// The same of some tokens, `rows` of [B · T]: [rows, dim]. All attends for them, but what follows the attention is
  /// computed for no others.
  Tensor of_rows(const Tensor& x, const std::vector<int64_t>& rows) const;
  /// The attention weights of the first token over all of x [B, T, dim]: [B, heads, T].
  Tensor first_attention(const Tensor& x) const;

 private:
  Tensor attend(const Tensor& x) const;
  Tensor expand(const Tensor& x) const;
  /// x + drop(scale · product(branch)), fused without dropout.
  Tensor add_branch(const Tensor& x, const Tensor& branch, const Linear& product, const Tensor& scale) const;
  /// The same for a branch of some rows of x, `factor` times.
  Tensor add_some(const Tensor& x, const Tensor& index, double factor, const Tensor& branch, const Linear& product,
                  const Tensor& scale) const;
  /// Whether some samples skip the branches, and a draw of those that do not.
  bool skips() const;
  KeptSamples draw(const Tensor& x) const;
  Tensor drop(const Tensor& value) const;

  BlockOptions options_;
  LayerNorm norm1_;
  Linear qkv_, projection_;
  LayerNorm norm2_;
  Linear expand_, contract_;
  Tensor scale1_, scale2_;
};

/// Pools a token sequence by one learned query: multi-head cross-attention, layer norm, MLP. Parameter names follow
/// the published heads (and torch.nn.MultiheadAttention): `cross_attention.{query, multihead_attn.*, layernorm.*}`,
/// `mlp.{encoder,decoder}.*`. Dropout acts on the attended value and on the MLP's output, not on the attention weights.
class CrossAttentionHead final : public Module {
 public:
  struct Options {
    int64_t tokens_width = 0;  ///< D of the tokens
    int64_t width = 0;         ///< E of query and result
    int64_t heads = 4;
    int64_t hidden = 0;  ///< of the MLP
    double dropout = 0.1;
    bool mlp_residual = false;  ///< x + mlp(x) rather than mlp(x)
  };
  explicit CrossAttentionHead(const Options& options);
  /// tokens [B, S, D] → [B, E]
  Tensor operator()(const Tensor& tokens) const;
  /// The query's attention weights over tokens [B, S, D]: [B, heads, S].
  Tensor attention(const Tensor& tokens) const;

 private:
  /// Row block `part` (q, k, v) of the projections' weight, fused or split, and of their bias.
  Tensor projection_weight(int part) const;
  Tensor projection_bias(int part) const;
  /// Rows of a projection's weight by head: [heads, E/heads, D].
  Tensor of_heads(const Tensor& weight) const;
  /// What each head scores tokens by, [heads, D].
  Tensor directions() const;
  /// The query's attention over tokens [B, S, D], before the output projection: [B, E].
  Tensor attend(const Tensor& tokens) const;
  Tensor drop(const Tensor& x) const;

  Options options_;
  bool fused_;
  Tensor query_, in_weight_, q_weight_, k_weight_, v_weight_, in_bias_;
  Linear output_;
  LayerNorm norm_;
  Linear encoder_, decoder_;
};

}  // namespace astroclip::nn
