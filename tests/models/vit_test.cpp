// The image tower against numbers of the published implementation.
#include <numeric>

#include "api/attention_weights.h"
#include "api/selected_tokens.h"
#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/operators.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::lowest_cosine;
using testing_support::make_encoder;
using testing_support::relative_distance;
using testing_support::relative_error;
using testing_support::tiny_vit;

class VitFixture : public testing_support::OnEachBackend {
 protected:
  void SetUp() override {
    vit_ = make_encoder("vit", tiny_vit, device());
    std::vector<NamedTensor> weights = Fixture("vit.weights", device()).all("", "backbone.");
    // The fixture holds the backbone alone; the head keeps its initial values.
    for (const NamedTensor& entry : vit_->state()) {
      if (!entry.name.starts_with("backbone.")) weights.push_back(entry);
    }
    const nn::LoadReport report = nn::load_state(vit_->state(), weights);
    ASSERT_TRUE(report.complete() && report.unexpected.empty());
  }

  Encoded encode(const std::string& images, const Tensor& mask, TokenForm form) const {
    return vit_->encode(vit_->tokenize(io_[images]), mask, form);
  }

  void backward(Tensor& images) const {
    images.set_requires_grad(true);
    const Encoded encoded = vit_->encode(vit_->tokenize(images), io_["masks"], TokenForm::pretraining);
    autograd::backward(ops::sum(encoded.tokens * io_["backward.grad_patch_tokens"]) +
                       ops::sum(encoded.cls_token * io_["backward.grad_cls"]));
  }

  std::shared_ptr<Encoder> vit_;
  Fixture io_{"vit.io", device()};
};

TEST_P(VitFixture, ClassAndPatchTokens) {
  const Encoded encoded = encode("images", {}, TokenForm::pretraining);
  EXPECT_LT(relative_error(encoded.cls_token, io_["cls"]), 1e-5);
  EXPECT_LT(relative_error(encoded.tokens, io_["patch_tokens"]), 1e-5);
}

TEST_P(VitFixture, MaskedPatches) {
  const Encoded encoded = encode("images", io_["masks"], TokenForm::pretraining);
  EXPECT_LT(relative_error(encoded.cls_token, io_["masked.cls"]), 1e-5);
  EXPECT_LT(relative_error(encoded.tokens, io_["masked.patch_tokens"]), 1e-5);
}

TEST_P(VitFixture, LocalCropsInterpolateThePositions) {
  const Encoded encoded = encode("local_images", {}, TokenForm::pretraining);
  EXPECT_LT(relative_error(encoded.cls_token, io_["local.cls"]), 1e-5);
  EXPECT_LT(relative_error(encoded.tokens, io_["local.patch_tokens"]), 1e-5);
}

TEST_P(VitFixture, AlignmentDropsClassTokenAndPositions) {
  const Encoded encoded = encode("images", {}, TokenForm::alignment);
  EXPECT_FALSE(encoded.cls_token.defined());
  EXPECT_LT(relative_error(encoded.tokens, io_["tokens_without_cls_and_position"]), 1e-5);
}

TEST_P(VitFixture, Bf16LeavesTheDirectionOfTokens) {
  const ops::PrecisionScope scope(Precision::bf16);
  const Encoded masked = encode("images", io_["masks"], TokenForm::pretraining);
  EXPECT_GE(lowest_cosine(masked.cls_token, io_["masked.cls"]), 0.999);
  EXPECT_GE(lowest_cosine(masked.tokens, io_["masked.patch_tokens"]), 0.999);
  const Encoded local = encode("local_images", {}, TokenForm::pretraining);
  EXPECT_GE(lowest_cosine(local.cls_token, io_["local.cls"]), 0.999);
  EXPECT_GE(lowest_cosine(local.tokens, io_["local.patch_tokens"]), 0.999);
}

TEST_P(VitFixture, EveryGradientByName) {
  Tensor images = io_["images"];
  backward(images);
  EXPECT_LT(relative_error(images.grad(), io_["backward.grad_images"]), 1e-4);
  const Fixture gradients("vit.grads", device());
  int compared = 0;
  for (const NamedTensor& entry : vit_->parameters()) {
    if (!entry.name.starts_with("backbone.")) continue;
    ASSERT_TRUE(entry.tensor.grad().defined()) << entry.name;
    EXPECT_LT(relative_error(entry.tensor.grad(), gradients[entry.name.substr(9)]), 1e-4) << entry.name;
    ++compared;
  }
  EXPECT_EQ(compared, 7 + 4 * 14);
}

TEST_P(VitFixture, EveryGradientByNameInBf16) {
  const ops::PrecisionScope scope(Precision::bf16);
  Tensor images = io_["images"];
  backward(images);
  const Fixture gradients("vit.grads", device());
  for (const NamedTensor& entry : vit_->parameters()) {
    if (!entry.name.starts_with("backbone.")) continue;
    EXPECT_LT(relative_distance(entry.tensor.grad(), gradients[entry.name.substr(9)]), 2e-2) << entry.name;
  }
}

class SelectedPatches : public VitFixture {
 protected:
  /// Class tokens and some patches of masked images: of all, then as selected, with their gradients by name.
  struct Run {
    Encoded features;
    std::map<std::string, Tensor> gradients;
  };

  Run run(bool selects) {
    vit_->set_step_seed(seed_);
    Tensor images = io_["images"];
    images.set_requires_grad(true);
    const Tensor tokens = vit_->tokenize(images);
    const Tensor index = Tensor::from_host(selected_, {std::ssize(selected_)}, device());
    Run result;
    if (selects) {
      result.features = encode_selected(*vit_, tokens, io_["masks"], selected_);
    } else {
      const Encoded all = vit_->encode(tokens, io_["masks"], TokenForm::pretraining);
      result.features = {all.cls_token, rows_of(all.tokens, index)};
    }
    const Tensor cotangent = rows_of(io_["backward.grad_patch_tokens"], index);
    autograd::backward(ops::sum(result.features.tokens * cotangent) +
                       ops::sum(result.features.cls_token * io_["backward.grad_cls"]));
    result.gradients["images"] = images.grad();
    for (NamedTensor entry : vit_->parameters("")) {
      if (!entry.name.starts_with("backbone.")) continue;
      result.gradients[entry.name] = entry.tensor.grad();
      entry.tensor.set_grad({});
    }
    return result;
  }

  static Tensor rows_of(const Tensor& x, const Tensor& index) {
    return ops::gather_rows(ops::reshape(x, {x.size(0) * x.size(1), x.size(2)}), index);
  }

  /// Both ways agree up to the order of sums.
  void expect_same() {
    const Run all = run(false), some = run(true);
    EXPECT_LT(relative_error(some.features.cls_token, all.features.cls_token), 1e-5);
    EXPECT_LT(relative_error(some.features.tokens, all.features.tokens), 1e-5);
    for (const auto& [name, gradient] : all.gradients) {
      const Tensor found = some.gradients.at(name);
      ASSERT_EQ(found.defined(), gradient.defined()) << name;
      if (!gradient.defined()) continue;
      EXPECT_LT(relative_error(found, gradient), 1e-4) << name;
    }
  }

  uint64_t seed_ = 1;                                         ///< of the draws of a step
  std::vector<int64_t> selected_ = {0, 5, 6, 100, 150, 287};  // of two images of 144 patches
};

TEST_P(SelectedPatches, AreThePublishedOnes) {
  const Run some = run(true);
  EXPECT_LT(relative_error(some.features.cls_token, io_["masked.cls"]), 1e-5);
  const Tensor index = Tensor::from_host(selected_, {std::ssize(selected_)}, device());
  EXPECT_LT(relative_error(some.features.tokens, rows_of(io_["masked.patch_tokens"], index)), 1e-5);
}

TEST_P(SelectedPatches, HaveTheGradientsOfAll) { expect_same(); }

TEST_P(SelectedPatches, HaveTheGradientsOfAllInBf16) {
  const ops::PrecisionScope scope(Precision::bf16);
  const Run some = run(true);
  EXPECT_GE(lowest_cosine(some.features.cls_token, io_["masked.cls"]), 0.999);
  const Run all = run(false);
  for (const auto& [name, gradient] : all.gradients) {
    if (!gradient.defined()) continue;
    EXPECT_LT(relative_distance(some.gradients.at(name), gradient), 2e-2) << name;
  }
}

TEST_P(SelectedPatches, FollowStochasticDepth) {
  vit_->set_training(true);
  for (const auto draw : {nn::StochasticDepth::Draw::fixed_share, nn::StochasticDepth::Draw::independent}) {
    vit_->set_stochastic_depth({.rate = 0.5, .draw = draw});
    for (seed_ = 1; seed_ <= 2; ++seed_) expect_same();
  }
}

TEST_P(SelectedPatches, MayBeNone) {
  const Encoded none = encode_selected(*vit_, vit_->tokenize(io_["local_images"]), {}, {});
  EXPECT_LT(relative_error(none.cls_token, io_["local.cls"]), 1e-5);
  EXPECT_FALSE(none.tokens.defined());
}

TEST_P(SelectedPatches, OfAnEncoderThatCannotSelectAreTakenFromAll) {
  const auto specformer = make_encoder("specformer", testing_support::tiny_specformer, device());
  const Tensor tokens = Tensor::zeros(Shape{2, specformer->token_shape()[0], specformer->token_shape()[1]},
                                      backend_of(device()).compute_dtype(), device());
  const Tensor all = specformer->encode(tokens, {}, TokenForm::pretraining).tokens;
  const std::vector<int64_t> selected = {1, all.size(1) + 2};
  const Encoded some = encode_selected(*specformer, tokens, {}, selected);
  EXPECT_FALSE(some.cls_token.defined());
  EXPECT_EQ(some.tokens.to_doubles(), rows_of(all, Tensor::from_host(selected, {2}, device())).to_doubles());
  EXPECT_FALSE(encode_selected(*specformer, tokens, {}, {}).tokens.defined());
}

/// softmax over patches of (W_q query + b_q)·(W_k token + b_k)/√width of each head (Vaswani et al. 2017).
TEST_P(VitFixture, AttentionForAlignmentIsThatOfTheHeadsQuery) {
  constexpr int64_t width = 48, heads = 4, part = width / heads;
  std::map<std::string, std::vector<double>> state;
  for (const NamedTensor& entry : vit_->state()) state[entry.name] = entry.tensor.to_doubles();
  const auto& weight = state.at("cross_attention.multihead_attn.in_proj_weight");
  const auto& bias = state.at("cross_attention.multihead_attn.in_proj_bias");
  const auto project = [&](int64_t row, const double* x) {
    return std::inner_product(x, x + width, weight.begin() + row * width, bias[static_cast<size_t>(row)]);
  };
  const Tensor patches = vit_->tokenize(io_["images"]);
  const Tensor features = vit_->encode(patches, {}, TokenForm::alignment).tokens;
  const std::vector<double> tokens = features.to_doubles();
  const int64_t batch = features.size(0), count = features.size(1);
  std::vector<double> expected;
  for (int64_t object = 0; object < batch; ++object) {
    for (int64_t head = 0; head < heads; ++head) {
      std::vector<double> weights;
      for (int64_t token = 0; token < count; ++token) {
        double score = 0.0;
        for (int64_t row = head * part; row < (head + 1) * part; ++row)
          score += project(row, state.at("cross_attention.query").data()) *
                   project(width + row, tokens.data() + (object * count + token) * width);
        weights.push_back(std::exp(score / std::sqrt(double{part})));
      }
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      for (const double one : weights) expected.push_back(one / sum);
    }
  }
  const Tensor found = dynamic_cast<const AttentionWeights&>(*vit_).attention(patches, TokenForm::alignment);
  EXPECT_EQ(found.shape(), (Shape{batch, heads, count}));
  EXPECT_LT(relative_error(found.to_doubles(), expected), 1e-4);
}

/// Without positions the weights go with their patches.
TEST(VitAttention, OfTheClassTokenIsAlongPatches) {
  const auto cpu = testing_support::cpu;
  const auto vit = make_encoder("vit",
                                "image = 12\npatch = 4\nchannels = 1\ndim = 8\ndepth = 2\nheads = 2\nchunks = 1\n"
                                "registers = 3\nhead = { width = 8, heads = 2 }",
                                cpu);
  for (NamedTensor& entry : vit->state()) {
    if (entry.name == "backbone.pos_embed")
      entry.tensor.copy_from(Tensor::zeros(entry.tensor.shape(), entry.tensor.dtype(), cpu));
  }
  std::vector<double> image(144);
  for (size_t i = 0; i < image.size(); ++i) image[i] = std::sin(static_cast<double>(i * i));
  const Tensor patches = vit->tokenize(Tensor::from_host(image, {1, 1, 12, 12}, DType::f32, cpu));
  const Tensor turned = ops::concat({ops::narrow(patches, 1, 1, 8), ops::narrow(patches, 1, 0, 1)}, 1);
  const auto attention = [&](const Tensor& tokens) {
    return dynamic_cast<const AttentionWeights&>(*vit).attention(tokens, TokenForm::pretraining);
  };
  const Tensor found = attention(patches);
  ASSERT_EQ(found.shape(), (Shape{1, 2, 9}));
  const std::vector<double> before = found.to_doubles(), after = attention(turned).to_doubles();
  for (size_t head = 0; head < 2; ++head) {
    double sum = 0.0;
    for (size_t token = 0; token < 9; ++token) {
      EXPECT_NEAR(after[head * 9 + token], before[head * 9 + (token + 1) % 9], 1e-6);
      sum += before[head * 9 + token];
    }
    EXPECT_LT(sum, 0.95);  // class token and registers have the rest
  }
}

TEST(VitAttention, IsNotThereWithoutAClassToken) {
  const auto vit =
      make_encoder("vit", std::string(testing_support::tiny_vit) + "class_token = false", testing_support::cpu);
  const Tensor patches = Tensor::zeros({1, 144, 432}, DType::f32, testing_support::cpu);
  const auto& attention = dynamic_cast<const AttentionWeights&>(*vit);
  EXPECT_FALSE(attention.attention(patches, TokenForm::pretraining).defined());
  EXPECT_TRUE(attention.attention(patches, TokenForm::alignment).defined());
}

INSTANTIATE_TEST_SUITE_P(, VitFixture, testing_support::each_backend(), testing_support::backend_name);
INSTANTIATE_TEST_SUITE_P(, SelectedPatches, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
