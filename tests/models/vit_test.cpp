// The image tower against numbers of the published implementation.
#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/ops.h"

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
    autograd::backward(ops::add(ops::sum(ops::multiply(encoded.tokens, io_["backward.grad_patch_tokens"])),
                                ops::sum(ops::multiply(encoded.cls_token, io_["backward.grad_cls"]))));
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

INSTANTIATE_TEST_SUITE_P(, VitFixture, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
