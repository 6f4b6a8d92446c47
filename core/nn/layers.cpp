#include "nn/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/operators.h"

namespace astroclip::nn {

namespace {

/// Rows `index` of the tokens x [B, T, D]: [rows, D].
Tensor tokens_at(const Tensor& x, const Tensor& index) {
  return ops::gather_rows(ops::reshape(x, {x.size(0) * x.size(1), x.size(2)}), index);
}

/// Of `rows` of tokens those of the kept samples: where they are among `rows`, and in the kept samples' own tokens.
struct KeptRows {
  KeptRows(const std::vector<int64_t>& rows, int64_t tokens, const std::vector<int64_t>& samples, Device device) {
    std::vector<int64_t> all, kept;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto sample = std::ranges::lower_bound(samples, rows[i] / tokens);
      if (sample == samples.end() || *sample != rows[i] / tokens) continue;
      all.push_back(static_cast<int64_t>(i));
      kept.push_back((sample - samples.begin()) * tokens + rows[i] % tokens);
    }
    if (all.empty()) return;
    in_all = Tensor::from_host(all, {std::ssize(all)}, device);
    in_kept = Tensor::from_host(kept, {std::ssize(kept)}, device);
  }
  Tensor in_all, in_kept;  ///< i64; undefined where there are none
};

}  // namespace

Init uniform_fan_in(int64_t in) { return Init::uniform(1.0 / std::sqrt(static_cast<double>(in))); }

Init glorot_uniform(int64_t in, int64_t out) { return Init::uniform(std::sqrt(6.0 / static_cast<double>(in + out))); }

Linear::Linear(int64_t in, int64_t out, Init weight, Init bias) {
  parameter("weight", weight_, {out, in}, weight);
  parameter("bias", bias_, {out}, bias);
}

Tensor Linear::operator()(const Tensor& x, const ops::LinearOptions& options) const {
  return ops::linear(x, weight_, bias_, options);
}

Mlp::Mlp(int64_t in, const std::vector<int64_t>& widths, MlpOptions options) : options_(options) {
  declare_dropout(options.dropout);
  for (const int64_t width : widths) {
    layers_.push_back(std::make_unique<Linear>(in, width, uniform_fan_in(in), uniform_fan_in(in)));
    child(fmt::format("layers.{}", layers_.size() - 1), *layers_.back());
    in = width;
  }
  if (!options.batch_norm) return;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    norms_.push_back(std::make_unique<BatchNorm>(widths[i]));
    child(fmt::format("norms.{}", i), *norms_.back());
  }
}

Tensor Mlp::operator()(const Tensor& x) const {
  Tensor y = x;
  for (size_t i = 0; i + 1 < layers_.size(); ++i) {
    if (options_.batch_norm) {
      y = ops::relu((*norms_[i])((*layers_[i])(y)));
    } else {
      y = (*layers_[i])(y, {.activation = Activation::relu});
    }
    if (training()) y = ops::dropout(y, options_.dropout, dropout_seed());
  }
  return layers_.empty() ? y : (*layers_.back())(y);
}

LayerNorm::LayerNorm(int64_t width, double epsilon) : epsilon_(epsilon) {
  parameter("weight", weight_, {width}, Init::constant(1.0));
  parameter("bias", bias_, {width}, Init::zeros());
}

Tensor LayerNorm::operator()(const Tensor& x, ops::Readers readers) const {
  return ops::layer_norm(x, weight_, bias_, epsilon_, readers);
}

TransformerBlock::TransformerBlock(const BlockOptions& options, const BlockNames& names)
    : options_(options),
      norm1_(options.dim, options.epsilon),
      qkv_(options.dim, 3 * options.dim, options.input_weight),
      projection_(options.dim, options.dim, options.input_weight),
      norm2_(options.dim, options.epsilon),
      expand_(options.dim, options.hidden, options.input_weight),
      contract_(options.hidden, options.dim, options.hidden_weight) {
  declare_dropout(options.dropout);
  declare_stochastic_depth();
  declare_recomputation();
  child(names.norm1, norm1_);
  child(names.qkv, qkv_);
  child(names.projection, projection_);
  child(names.norm2, norm2_);
  child(names.expand, expand_);
  child(names.contract, contract_);
  if (options.layer_scale) {
    parameter(names.scale1, scale1_, {options.dim}, Init::constant(*options.layer_scale));
    parameter(names.scale2, scale2_, {options.dim}, Init::constant(*options.layer_scale));
  }
}

Tensor TransformerBlock::attend(const Tensor& x) const {
  constexpr auto products = ops::Readers::products;
  return ops::self_attention(qkv_(norm1_(x, products), {.readers = products}), options_.heads);
}

Tensor TransformerBlock::expand(const Tensor& x) const {
  constexpr auto products = ops::Readers::products;
  return expand_(norm2_(x, products), {.activation = Activation::gelu, .readers = products});
}

Tensor TransformerBlock::drop(const Tensor& value) const {
  return training() && options_.dropout > 0.0 ? ops::dropout(value, options_.dropout, dropout_seed()) : value;
}

Tensor TransformerBlock::add_branch(const Tensor& x, const Tensor& branch, const Linear& product,
                                    const Tensor& scale) const {
  const bool drops = training() && options_.dropout > 0.0;
  if (!drops) return product(branch, {.residual = x, .scale = scale});
  return ops::add_rows(x, drop(product(branch)), {.index = {}, .scale = scale});
}

Tensor TransformerBlock::add_some(const Tensor& x, const Tensor& index, double factor, const Tensor& branch,
                                  const Linear& product, const Tensor& scale) const {
  return ops::add_rows(x, drop(product(branch)), {.index = index, .scale = scale, .factor = factor});
}

KeptSamples TransformerBlock::draw(const Tensor& x) const {
  return draw_kept(x.size(0), stochastic_depth(), dropout_seed(), x.device());
}

bool TransformerBlock::skips() const { return training() && stochastic_depth().rate > 0.0; }

Tensor TransformerBlock::operator()(const Tensor& x) const {
  if (skips()) {
    const KeptSamples attention = draw(x);
    return (*this)(x, attention, draw(x));
  }
  return recomputed([this, x] {
    const Tensor mixed = add_branch(x, attend(x), projection_, scale1_);
    return add_branch(mixed, expand(mixed), contract_, scale2_);
  });
}

Tensor TransformerBlock::operator()(const Tensor& x, const KeptSamples& attention, const KeptSamples& mlp) const {
  return recomputed([=, this] {
    Tensor y = x;
    if (attention.index.defined()) {
      const Tensor branch = attend(ops::gather_rows(y, attention.index));
      y = add_some(y, attention.index, attention.scale, branch, projection_, scale1_);
    }
    if (mlp.index.defined()) {
      y = add_some(y, mlp.index, mlp.scale, expand(ops::gather_rows(y, mlp.index)), contract_, scale2_);
    }
    return y;
  });
}

Tensor TransformerBlock::of_rows(const Tensor& x, const std::vector<int64_t>& rows) const {
  const Tensor index = Tensor::from_host(rows, {std::ssize(rows)}, x.device());
  if (!skips()) {
    return recomputed([=, this] {
      const Tensor mixed = add_branch(tokens_at(x, index), tokens_at(attend(x), index), projection_, scale1_);
      return add_branch(mixed, expand(mixed), contract_, scale2_);
    });
  }
  const KeptSamples attention = draw(x), mlp = draw(x);
  const KeptRows attended(rows, x.size(1), attention.samples, x.device()),
      expanded(rows, x.size(1), mlp.samples, x.device());
  return recomputed([=, this] {
    Tensor y = tokens_at(x, index);
    if (attended.in_all.defined()) {
      const Tensor branch = tokens_at(attend(ops::gather_rows(x, attention.index)), attended.in_kept);
      y = add_some(y, attended.in_all, attention.scale, branch, projection_, scale1_);
    }
    if (expanded.in_all.defined()) {
      y = add_some(y, expanded.in_all, mlp.scale, expand(ops::gather_rows(y, expanded.in_all)), contract_, scale2_);
    }
    return y;
  });
}

Tensor TransformerBlock::first_attention(const Tensor& x) const {
  const int64_t batch = x.size(0), tokens = x.size(1), part = options_.dim / options_.heads;
  const Tensor qkv = qkv_(norm1_(x));
  // [B, heads, rows, part] of queries (0) or keys (1).
  const auto of_heads = [&](int64_t which, int64_t rows) {
    const Tensor some = ops::narrow(ops::narrow(qkv, 1, 0, rows), 2, which * options_.dim, options_.dim);
    return ops::permute(ops::reshape(some, {batch, rows, options_.heads, part}), {0, 2, 1, 3});
  };
  const Tensor scores = ops::matmul_nt(of_heads(0, 1), of_heads(1, tokens)) / std::sqrt(static_cast<double>(part));
  return ops::reshape(ops::softmax(scores), {batch, options_.heads, tokens});
}

CrossAttentionHead::CrossAttentionHead(const Options& options)
    : options_(options),
      fused_(options.tokens_width == options.width),
      output_(options.width, options.width, uniform_fan_in(options.width)),
      norm_(options.width, 1e-5),
      encoder_(options.width, options.hidden, uniform_fan_in(options.width), uniform_fan_in(options.width)),
      decoder_(options.hidden, options.width, uniform_fan_in(options.hidden), uniform_fan_in(options.hidden)) {
  declare_dropout(options.dropout);
  const int64_t width = options.width, tokens = options.tokens_width;
  parameter("cross_attention.query", query_, {1, 1, width}, Init::normal(1.0));
  const std::string attention = "cross_attention.multihead_attn.";
  if (fused_) {
    parameter(attention + "in_proj_weight", in_weight_, {3 * width, width}, glorot_uniform(width, 3 * width));
  } else {
    parameter(attention + "q_proj_weight", q_weight_, {width, width}, glorot_uniform(width, width));
    parameter(attention + "k_proj_weight", k_weight_, {width, tokens}, glorot_uniform(tokens, width));
    parameter(attention + "v_proj_weight", v_weight_, {width, tokens}, glorot_uniform(tokens, width));
  }
  parameter(attention + "in_proj_bias", in_bias_, {3 * width}, Init::zeros());
  child(attention + "out_proj", output_);
  child("cross_attention.layernorm", norm_);
  child("mlp.encoder", encoder_);
  child("mlp.decoder", decoder_);
}

Tensor CrossAttentionHead::projection_weight(int part) const {
  if (fused_) return ops::narrow(in_weight_, 0, part * options_.width, options_.width);
  return part == 0 ? q_weight_ : part == 1 ? k_weight_ : v_weight_;
}

Tensor CrossAttentionHead::projection_bias(int part) const {
  return ops::narrow(in_bias_, 0, part * options_.width, options_.width);
}

Tensor CrossAttentionHead::of_heads(const Tensor& weight) const {
  return ops::reshape(weight, {options_.heads, options_.width / options_.heads, options_.tokens_width});
}

// With a single query no key or value is made. A head's score q·(W_k x + b_k) is (W_kᵀ q)·x but for q·b_k, which is the
// same for every token and drops out of the softmax; a mean of values is W_v times the mean of the tokens, plus b_v.
Tensor CrossAttentionHead::directions() const {
  const int64_t heads = options_.heads, part = options_.width / heads;
  const Tensor query =
      ops::linear(ops::reshape(query_, {1, options_.width}), projection_weight(0), projection_bias(0)) /
      std::sqrt(static_cast<double>(part));
  const Tensor scoring = ops::matmul(ops::reshape(query, {heads, 1, part}), of_heads(projection_weight(1)));
  return ops::reshape(scoring, {heads, options_.tokens_width});
}

Tensor CrossAttentionHead::attend(const Tensor& tokens) const {
  const Tensor means = ops::attention_pool(tokens, directions());
  const Tensor values = ops::permute(ops::matmul_nt(means, of_heads(projection_weight(2))), {1, 0, 2});
  return ops::reshape(values, {tokens.size(0), options_.width}) + projection_bias(2);
}

Tensor CrossAttentionHead::attention(const Tensor& tokens) const {
  return ops::softmax(ops::permute(ops::linear(tokens, directions(), {}), {0, 2, 1}));
}

Tensor CrossAttentionHead::drop(const Tensor& x) const {
  return training() ? ops::dropout(x, options_.dropout, dropout_seed()) : x;
}

Tensor CrossAttentionHead::operator()(const Tensor& tokens) const {
  const Tensor pooled = norm_(drop(output_(attend(tokens))));
  const Tensor hidden = encoder_(pooled, {.activation = Activation::gelu});
  if (!training() && options_.mlp_residual) return decoder_(hidden, {.residual = pooled});
  const Tensor value = drop(decoder_(hidden));
  return options_.mlp_residual ? pooled + value : value;
}

}  // namespace astroclip::nn
