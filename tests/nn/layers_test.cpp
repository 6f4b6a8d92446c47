// What blocks and heads drop in training, and that their gradients are those of what they compute.
#include "nn/layers.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "ops/operators.h"
#include "testing/gradient_check.h"

namespace astroclip::nn {
namespace {

using testing_support::random_tensor;
using testing_support::reference_device;

const BlockNames names = {"norm1", "qkv", "proj", "norm2", "fc1", "fc2", "ls1", "ls2"};

BlockOptions block_options(int64_t dim) {
  BlockOptions options;
  options.dim = dim;
  options.heads = 2;
  options.hidden = 2 * dim;
  options.input_weight = options.hidden_weight = Init::normal(0.3);
  return options;
}

std::unique_ptr<TransformerBlock> make_block(const BlockOptions& options) {
  auto block = std::make_unique<TransformerBlock>(options, names);
  block->materialize(reference_device, 11);
  return block;
}

void fill(Module& module, const std::string& name, double value) {
  for (NamedTensor& entry : module.parameters()) {
    if (entry.name != name) continue;
    entry.tensor.copy_from(Tensor::from_host(std::vector<double>(static_cast<size_t>(entry.tensor.numel()), value),
                                             entry.tensor.shape(), entry.tensor.dtype(), entry.tensor.device()));
    return;
  }
  FAIL() << "no parameter " << name;
}

/// What a block adds to its input.
std::vector<double> added(const TransformerBlock& block, const Tensor& x) { return (block(x) - x).to_doubles(); }

/// A share of n trials, give or take five standard deviations.
void expect_share(double share, double expected, double trials) {
  EXPECT_NEAR(share, expected, 5.0 * std::sqrt(expected * (1.0 - expected) / trials));
}

TEST(TransformerBlock, DropsNothingInEvaluation) {
  Rng rng(1, RngStream::tests);
  const Tensor x = random_tensor({3, 4, 8}, rng);
  BlockOptions options = block_options(8);
  const std::vector<double> plain = (*make_block(options))(x).to_doubles();
  options.dropout = 0.5;
  const auto block = make_block(options);
  block->set_stochastic_depth({.rate = 0.5});
  EXPECT_EQ((*block)(x).to_doubles(), plain);
}

/// What attention adds to the first token is the mean of all values with these weights.
TEST(TransformerBlock, AttentionOfTheFirstTokenWeighsTheValues) {
  Rng rng(6, RngStream::tests);
  constexpr size_t tokens = 5, dim = 8, heads = 2, part = dim / heads;
  const auto block = make_block(block_options(dim));
  fill(*block, "fc2.weight", 0.0);  // what is added is attention's branch alone
  std::vector<double> qkv, identity(dim * dim);
  for (size_t i = 0; i < dim; ++i) identity[i * dim + i] = 1.0;
  for (NamedTensor& entry : block->parameters()) {
    if (entry.name == "qkv.weight") qkv = entry.tensor.to_doubles();
    if (entry.name == "proj.weight")
      entry.tensor.copy_from(Tensor::from_host(identity, {dim, dim}, entry.tensor.dtype(), reference_device));
  }
  const Tensor x = random_tensor({1, tokens, dim}, rng);
  const std::vector<double> values = x.to_doubles(), mixed = added(*block, x);
  const Tensor weights = block->first_attention(x);
  ASSERT_EQ(weights.shape(), (Shape{1, heads, tokens}));
  const std::vector<double> found = weights.to_doubles();
  for (size_t row = 0; row < dim; ++row) {
    double expected = 0.0;
    for (size_t token = 0; token < tokens; ++token) {
      const std::span own = std::span(values).subspan(token * dim, dim);
      const double mean = std::accumulate(own.begin(), own.end(), 0.0) / double{dim};
      double variance = 0.0, value = 0.0;
      for (const double one : own) variance += (one - mean) * (one - mean) / double{dim};
      for (size_t i = 0; i < dim; ++i)
        value += qkv[(2 * dim + row) * dim + i] * (own[i] - mean) / std::sqrt(variance + 1e-5);
      expected += found[row / part * tokens + token] * value;
    }
    EXPECT_NEAR(mixed[row], expected, 1e-9);
  }
}

TEST(TransformerBlock, StochasticDepthSkipsABranchForWholeSamples) {
  Rng rng(2, RngStream::tests);
  constexpr int64_t samples = 2000;
  const auto block = make_block(block_options(4));
  block->set_stochastic_depth({.rate = 0.3, .draw = StochasticDepth::Draw::independent});
  fill(*block, "proj.weight", 0.0);  // what is added is the second branch alone
  const Tensor x = random_tensor({samples, 3, 4}, rng);
  const std::vector<double> whole = added(*block, x);
  block->set_training(true);
  block->set_step_seed(5);
  const std::vector<double> dropped = added(*block, x);
  int64_t skipped = 0;
  for (int64_t sample = 0; sample < samples; ++sample) {
    const auto at = static_cast<size_t>(sample * 12);
    const bool skips = dropped[at] == 0.0;
    skipped += skips ? 1 : 0;
    for (size_t i = at; i < at + 12; ++i) {
      ASSERT_NEAR(dropped[i], skips ? 0.0 : whole[i] / 0.7, 1e-12) << "sample " << sample;
    }
  }
  expect_share(static_cast<double>(skipped) / samples, 0.3, samples);
}

TEST(TransformerBlock, AFixedShareOfTheSamplesSkipsABranch) {
  Rng rng(12, RngStream::tests);
  const auto block = make_block(block_options(4));
  block->set_stochastic_depth({.rate = 0.3});
  fill(*block, "proj.weight", 0.0);
  block->set_training(true);
  for (const auto& [batch, kept] : {std::pair{7, 4}, {10, 7}, {2, 1}, {1, 1}}) {
    const Tensor x = random_tensor({batch, 3, 4}, rng);
    block->set_training(false);
    const std::vector<double> whole = added(*block, x);
    block->set_training(true);
    std::set<std::vector<bool>> draws;
    for (uint64_t key = 0; key < 40; ++key) {
      block->set_step_seed(key);
      const std::vector<double> found = added(*block, x);
      std::vector<bool> keeps;
      for (size_t sample = 0; sample < static_cast<size_t>(batch); ++sample) {
        keeps.push_back(found[12 * sample] != 0.0);
        const double scale = keeps.back() ? static_cast<double>(batch) / kept : 0.0;
        for (size_t i = 12 * sample; i < 12 * sample + 12; ++i) ASSERT_NEAR(found[i], whole[i] * scale, 1e-12);
      }
      EXPECT_EQ(std::ranges::count(keeps, true), kept);
      draws.insert(keeps);
    }
    EXPECT_EQ(draws.size() > 1, batch > 1);
  }
}

TEST(TransformerBlock, StochasticDepthGrowsFromBlockToBlockUnlessUniform) {
  struct Blocks final : Module {
    explicit Blocks(int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        all.push_back(std::make_unique<TransformerBlock>(block_options(4), names));
        child("blocks." + std::to_string(i), *all.back());
      }
      materialize(reference_device, 3);
      set_training(true);
    }
    std::vector<std::unique_ptr<TransformerBlock>> all;
  };
  Rng rng(13, RngStream::tests);
  const Tensor x = random_tensor({8, 2, 4}, rng);
  const auto skipping = [&](const StochasticDepth& options) {
    Blocks blocks(3);
    blocks.set_stochastic_depth(options);
    std::vector<int64_t> samples;
    for (const auto& block : blocks.all) {
      fill(*block, "proj.weight", 0.0);
      const std::vector<double> found = added(*block, x);
      samples.push_back(0);
      for (size_t i = 0; i < 8; ++i) samples.back() += found[8 * i] == 0.0 ? 1 : 0;
    }
    return samples;
  };
  EXPECT_THAT(skipping({.rate = 0.5}), testing::ElementsAre(4, 4, 4));
  EXPECT_THAT(skipping({.rate = 0.5, .uniform = false}), testing::ElementsAre(0, 2, 4));
  Linear plain(4, 4, Init::normal(1.0));
  plain.set_stochastic_depth({});
  EXPECT_THROW(plain.set_stochastic_depth({.rate = 0.1}), Error);
}

TEST(TransformerBlock, DropoutActsOnSingleValues) {
  Rng rng(3, RngStream::tests);
  BlockOptions options = block_options(16);
  options.dropout = 0.2;
  const auto block = make_block(options);
  fill(*block, "proj.weight", 0.0);
  const Tensor x = random_tensor({50, 10, 16}, rng);
  const std::vector<double> whole = added(*block, x);
  block->set_training(true);
  const std::vector<double> dropped = added(*block, x);
  int64_t zeros = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    const bool is_zero = dropped[i] == 0.0;
    zeros += is_zero ? 1 : 0;
    ASSERT_NEAR(dropped[i], is_zero ? 0.0 : whole[i] / 0.8, 1e-12);
  }
  const auto count = static_cast<double>(whole.size());
  expect_share(static_cast<double>(zeros) / count, 0.2, count);
}

TEST(TransformerBlock, TheTwoBranchesDropIndependently) {
  Rng rng(4, RngStream::tests);
  constexpr int64_t samples = 2000;
  const auto block = make_block(block_options(4));
  block->set_stochastic_depth({.rate = 0.5, .draw = StochasticDepth::Draw::independent});
  // Each branch adds its own constant: 1 and 10, doubled where it is kept.
  for (const char* product : {"proj", "fc2"}) fill(*block, std::string(product) + ".weight", 0.0);
  fill(*block, "proj.bias", 1.0);
  fill(*block, "fc2.bias", 10.0);
  block->set_training(true);
  const std::vector<double> values =
      (*block)(Tensor::zeros({samples, 1, 4}, DType::f64, reference_device)).to_doubles();
  std::map<double, int64_t> counts;
  for (size_t i = 0; i < values.size(); i += 4) ++counts[values[i]];
  ASSERT_EQ(counts.size(), 4U);
  for (const double sum : {0.0, 2.0, 20.0, 22.0}) {
    expect_share(static_cast<double>(counts[sum]) / samples, 0.25, samples);
  }
}

TEST(TransformerBlock, WhatIsDroppedDependsOnTheStepsKeyAlone) {
  Rng rng(5, RngStream::tests);
  BlockOptions options = block_options(8);
  options.dropout = 0.4;
  const auto block = make_block(options);
  block->set_stochastic_depth({.rate = 0.4});
  block->set_training(true);
  const Tensor x = random_tensor({5, 3, 8}, rng);
  const auto at_key = [&](uint64_t key) {
    block->set_step_seed(key);
    return (*block)(x).to_doubles();
  };
  const std::vector<double> first = at_key(7);
  EXPECT_NE(at_key(8), first);
  EXPECT_EQ(at_key(7), first);
  EXPECT_NE((*block)(x).to_doubles(), first);  // a second call within the step draws anew
}

TEST(TransformerBlock, LayerScaleWeighsEachBranch) {
  Rng rng(6, RngStream::tests);
  const Tensor x = random_tensor({2, 3, 8}, rng);
  BlockOptions options = block_options(8);
  options.layer_scale = 0.0;
  EXPECT_EQ((*make_block(options))(x).to_doubles(), x.to_doubles());
  options.layer_scale = 0.25;
  const auto scaled = make_block(options);
  const auto plain = make_block(block_options(8));
  for (Module* block : {static_cast<Module*>(scaled.get()), static_cast<Module*>(plain.get())}) {
    fill(*block, "proj.weight", 0.0);
  }
  const std::vector<double> quarter = added(*scaled, x), whole = added(*plain, x);
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(quarter[i], 0.25 * whole[i], 1e-12);
}

TEST(CrossAttentionHead, DropsInTrainingOnlyByTheStepsKey) {
  Rng rng(7, RngStream::tests);
  const Tensor tokens = random_tensor({3, 5, 6}, rng);
  CrossAttentionHead::Options options{
      .tokens_width = 6, .width = 8, .heads = 2, .hidden = 12, .dropout = 0.0, .mlp_residual = true};
  CrossAttentionHead plain(options);
  options.dropout = 0.5;
  CrossAttentionHead head(options);
  for (Module* module : {static_cast<Module*>(&plain), static_cast<Module*>(&head)}) {
    module->materialize(reference_device, 3);
  }
  const std::vector<double> expected = plain(tokens).to_doubles();
  EXPECT_EQ(head(tokens).to_doubles(), expected);
  for (Module* module : {static_cast<Module*>(&plain), static_cast<Module*>(&head)}) module->set_training(true);
  EXPECT_THAT(plain(tokens).to_doubles(), testing::Pointwise(testing::DoubleNear(1e-14), expected));
  const auto at_key = [&](uint64_t key) {
    head.set_step_seed(key);
    return head(tokens).to_doubles();
  };
  const std::vector<double> first = at_key(1);
  EXPECT_NE(first, expected);
  EXPECT_NE(at_key(2), first);
  EXPECT_EQ(at_key(1), first);
}

TEST(CrossAttentionHead, IsTheAttentionOfItsQueryToKeysAndValues) {
  Rng rng(10, RngStream::tests);
  for (const int64_t tokens_width : {8, 6}) {  // fused and split projections
    CrossAttentionHead head(
        {.tokens_width = tokens_width, .width = 8, .heads = 2, .hidden = 12, .dropout = 0.0, .mlp_residual = true});
    head.materialize(reference_device, 3);
    std::map<std::string, Tensor> of;
    for (NamedTensor& entry : head.parameters()) {
      if (entry.name.ends_with("bias")) entry.tensor.copy_from(random_tensor(entry.tensor.shape(), rng));
      of[entry.name] = entry.tensor;
    }
    const Tensor tokens = random_tensor({3, 5, tokens_width}, rng);
    const std::string attention = "cross_attention.multihead_attn.", norm = "cross_attention.layernorm.";
    const auto project = [&](const Tensor& x, int64_t part) {
      const std::string split = attention + "qkv"[part] + "_proj_weight";
      const Tensor weight =
          of.contains(split) ? of.at(split) : ops::narrow(of.at(attention + "in_proj_weight"), 0, 8 * part, 8);
      return ops::linear(x, weight, ops::narrow(of.at(attention + "in_proj_bias"), 0, 8 * part, 8));
    };
    const auto layer = [&](const Tensor& x, const std::string& name, const ops::LinearOptions& options = {}) {
      return ops::linear(x, of.at(name + ".weight"), of.at(name + ".bias"), options);
    };
    const Tensor query = ops::broadcast_to(project(of.at("cross_attention.query"), 0), {3, 1, 8});
    const Tensor attended = ops::cross_attention(query, project(tokens, 1), project(tokens, 2), 2);
    const Tensor pooled = ops::layer_norm(layer(ops::reshape(attended, {3, 8}), attention + "out_proj"),
                                          of.at(norm + "weight"), of.at(norm + "bias"), 1e-5);
    const Tensor hidden = layer(pooled, "mlp.encoder", {.activation = Activation::gelu, .residual = {}});
    const std::vector<double> expected = layer(hidden, "mlp.decoder", {.residual = pooled}).to_doubles();
    EXPECT_THAT(head(tokens).to_doubles(), testing::Pointwise(testing::DoubleNear(1e-12), expected)) << tokens_width;
  }
}

/// Gradients of input and parameters against central differences; `call` runs the module, in training with one key.
void expect_module_gradients(Module& module, const Tensor& input, Rng& rng,
                             const std::function<Tensor(const Tensor&)>& call) {
  module.set_training(true);
  std::vector<NamedTensor> tensors = module.parameters();
  tensors.push_back({"input", input});
  const auto keyed = [&] {
    module.set_step_seed(9);
    return call(input);
  };
  EXPECT_EQ(testing_support::gradient_errors(keyed, tensors, rng), "");
}

TEST(ModuleGradients, TransformerBlock) {
  Rng rng(8, RngStream::tests);
  const Tensor x = random_tensor({2, 3, 6}, rng);
  BlockOptions options = block_options(6);
  const auto check = [&](const BlockOptions& o, double rate = 0.0) {
    const auto block = make_block(o);
    block->set_stochastic_depth({.rate = rate});
    expect_module_gradients(*block, x, rng, [&](const Tensor& input) { return (*block)(input); });
  };
  check(options);
  options.layer_scale = 0.3;
  check(options);
  options.dropout = 0.3;
  check(options, 0.5);
}

TEST(ModuleGradients, CrossAttentionHead) {
  Rng rng(9, RngStream::tests);
  for (const int64_t tokens_width : {6, 4}) {  // fused and split projections
    for (const double dropout : {0.0, 0.3}) {
      const bool residual = dropout == 0.0;
      CrossAttentionHead head({.tokens_width = tokens_width,
                               .width = 6,
                               .heads = 2,
                               .hidden = 5,
                               .dropout = dropout,
                               .mlp_residual = residual});
      head.materialize(reference_device, 4);
      expect_module_gradients(head, random_tensor({2, 3, tokens_width}, rng), rng,
                              [&](const Tensor& tokens) { return head(tokens); });
    }
  }
}

}  // namespace
}  // namespace astroclip::nn
