// Both towers, their heads and the losses against numbers of the published implementation.
#include <gmock/gmock.h>

#include <cmath>

#include "autograd/tape.h"
#include "base/error.h"
#include "models/model_support.h"
#include "ops/operators.h"
#include "optim/adamw.h"
#include "testing/plain_engine.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::FreeFeatures;
using testing_support::make_encoder;
using testing_support::make_loss;
using testing_support::PlainEngine;
using testing_support::relative_error;

class AstroclipFixture : public testing_support::OnEachBackend {
 protected:
  void SetUp() override {
    image_ = make_encoder("vit", testing_support::tiny_vit, device());
    spectrum_ = make_encoder("specformer", testing_support::tiny_specformer, device());
    const Fixture weights("astroclip.weights", device());
    const nn::LoadReport image = nn::load_state(image_->state(), weights.all("image_encoder."));
    const nn::LoadReport spectrum = nn::load_state(spectrum_->state(), weights.all("spectrum_encoder."));
    ASSERT_TRUE(image.complete() && image.unexpected.empty());
    ASSERT_TRUE(spectrum.complete() && spectrum.unexpected.empty());
  }

  PlainEngine engine() const {
    const Tensor spectra = io_["spectra"];
    return {{{"image", {image_, io_["images"]}},
             {"spectrum", {spectrum_, spectra.view_as({spectra.size(0), spectra.size(1)})}}},
            device()};
  }

  double loss_at(const std::string& scale) const {
    const auto loss = make_loss("clip", "logit_scale = " + scale);
    PlainEngine plain = engine();
    loss->attach(plain);
    return loss->forward(plain).total.item();
  }

  std::shared_ptr<Encoder> image_, spectrum_;
  Fixture io_{"astroclip.io", device()};
};

TEST_P(AstroclipFixture, EmbeddingsOfBothTowers) {
  PlainEngine plain = engine();
  EXPECT_LT(relative_error(plain.embed("image"), io_["image_embedding"]), 1e-4);
  EXPECT_LT(relative_error(plain.embed("spectrum"), io_["spectrum_embedding"]), 1e-4);
}

TEST_P(AstroclipFixture, Bf16LeavesTheDirectionOfEmbeddings) {
  PlainEngine plain = engine();
  for (const char* modality : {"image", "spectrum"}) {
    const Tensor exact = plain.embed(modality);
    const ops::PrecisionScope scope(Precision::bf16);
    const Tensor rounded = plain.embed(modality);
    EXPECT_GE(testing_support::lowest_cosine(rounded, exact), 0.999) << modality;
    const bool rounds = device() != testing_support::reference;  // the oracle knows no precision but its own
    EXPECT_EQ(rounded.to_doubles() != exact.to_doubles(), rounds) << modality;
  }
}

TEST_P(AstroclipFixture, LossAtBothScales) {
  EXPECT_NEAR(loss_at("15.5") / io_["loss_logit_scale_15.5"].item(), 1.0, 1e-4);
  EXPECT_NEAR(loss_at(std::to_string(std::log(15.5))) / io_["loss_logit_scale_log_15.5"].item(), 1.0, 1e-4);
}

TEST_P(AstroclipFixture, SixStepsOfTheHeadsOnFrozenBackbones) {
  const Fixture trajectory("astroclip.trajectory", device());
  const std::vector<double> expected = trajectory.doubles("loss_and_grad_norm");
  image_->set_trainable("backbone", false);
  spectrum_->set_trainable("backbone", false);
  std::vector<NamedTensor> parameters = image_->parameters("image_encoder");
  for (NamedTensor& entry : spectrum_->parameters("spectrum_encoder")) parameters.push_back(std::move(entry));
  optim::Adamw adamw(parameters, {.weight_decay = 0.05, .clip_norm = 1.0});
  const auto loss = make_loss("clip", "");
  PlainEngine plain = engine();
  loss->attach(plain);
  for (size_t step = 0; step < 6; ++step) {
    const Tensor total = loss->forward(plain).total;
    autograd::backward(total);
    const auto norm = adamw.step({1e-3});
    EXPECT_NEAR(total.item() / expected[2 * step], 1.0, 1e-4) << "step " << step;
    EXPECT_NEAR(norm.norm / expected[2 * step + 1], 1.0, 1e-4) << "step " << step;
  }
  int compared = 0;
  for (const NamedTensor& entry : parameters) {
    if (!entry.trainable) continue;
    testing_support::expect_trained(entry.name, entry.tensor, trajectory["final." + entry.name], 2 * 6e-3);
    ++compared;
  }
  EXPECT_EQ(compared, 22);  // what the fixture holds
}

INSTANTIATE_TEST_SUITE_P(, AstroclipFixture, testing_support::each_backend(), testing_support::backend_name);

class LossFixture : public testing_support::OnEachBackend {
 protected:
  /// Two towers of free features that require gradients.
  PlainEngine engine(Tensor a, Tensor b) {
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    const int64_t width = a.size(1);
    return {{{"image", {std::make_shared<FreeFeatures>("image", width), a}},
             {"spectrum", {std::make_shared<FreeFeatures>("spectrum", width), b}}},
            device()};
  }
};

TEST_P(LossFixture, ClipOnFreeFeaturesWithGradients) {
  const Fixture fixture("clip_loss", device());
  const Tensor image = fixture["image_features"], spectrum = fixture["spectrum_features"];
  PlainEngine plain = engine(image, spectrum);
  const auto loss = make_loss("clip", "");
  loss->attach(plain);
  const Tensor total = loss->forward(plain).total;
  autograd::backward(total);
  EXPECT_NEAR(total.item() / fixture["loss"].item(), 1.0, 1e-6);
  EXPECT_LT(relative_error(image.grad(), fixture["grad.image_features"]), 2e-6);
  EXPECT_LT(relative_error(spectrum.grad(), fixture["grad.spectrum_features"]), 2e-6);
}

TEST_P(LossFixture, ALearnableClipScaleReachesTheLossAndLearns) {
  const Fixture fixture("clip_loss", device());
  PlainEngine plain = engine(fixture["image_features"], fixture["spectrum_features"]);
  const auto fixed = make_loss("clip", "logit_scale = 7.0");
  const auto learnable = make_loss("clip", "logit_scale = 7.0\nlearn_logit_scale = true");
  fixed->attach(plain);
  learnable->attach(plain);
  learnable->materialize(device(), 1);
  const Tensor total = learnable->forward(plain).total;
  EXPECT_NEAR(total.item() / fixed->forward(plain).total.item(), 1.0, 1e-6);
  autograd::backward(total);
  const Tensor scale = learnable->parameters().at(0).tensor;
  // d loss / d log s by central difference of the fixed loss.
  const auto at = [&](double factor) {
    const auto moved = make_loss("clip", "logit_scale = " + std::to_string(7.0 * factor));
    moved->attach(plain);
    return moved->forward(plain).total.item();
  };
  const double step = 0.01;
  EXPECT_NEAR(scale.grad().item(), (at(std::exp(step)) - at(std::exp(-step))) / (2 * step), 1e-3);
}

TEST_P(LossFixture, SiglipIsTheSumOfPairwiseLogisticLosses) {
  const Fixture fixture("clip_loss", device());
  PlainEngine plain = engine(fixture["image_features"], fixture["spectrum_features"]);
  const auto loss = make_loss("siglip", "logit_scale = 10.0\nlogit_bias = -10.0");
  loss->attach(plain);
  loss->materialize(device(), 1);
  const Tensor total = loss->forward(plain).total;

  const std::vector<double> a = fixture.doubles("image_features"), b = fixture.doubles("spectrum_features");
  const size_t rows = 8, width = 32;
  const auto cosine = [&](size_t i, size_t j) {
    double dot = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < width; ++k) {
      dot += a[i * width + k] * b[j * width + k];
      aa += a[i * width + k] * a[i * width + k];
      bb += b[j * width + k] * b[j * width + k];
    }
    return dot / std::sqrt(aa * bb);
  };
  double expected = 0;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < rows; ++j) {
      const double logit = 10.0 * cosine(i, j) - 10.0;
      expected += std::log1p(std::exp(i == j ? -logit : logit)) / static_cast<double>(rows);
    }
  }
  EXPECT_NEAR(total.item() / expected, 1.0, 1e-5);
  autograd::backward(total);
  for (const NamedTensor& entry : loss->parameters()) EXPECT_NE(entry.tensor.grad().item(), 0.0) << entry.name;
}

TEST_P(LossFixture, MaskedSpectrumHidesOneRunInEachSection) {
  // An encoder that reconstructs zero: the loss is the mean square of the hidden non-zero entries, all ones here.
  const std::vector<double> ones(2 * 60 * 3, 1.0);
  const Tensor raw = Tensor::from_host(ones, {2, 60, 3}, backend_of(device()).compute_dtype(), device());
  struct Zero final : Encoder, Reconstruction {
    std::string modality() const override { return "spectrum"; }
    Shape input_shape() const override { return {60, 3}; }
    Shape token_shape() const override { return {60, 3}; }
    int64_t dim() const override { return 3; }
    int64_t embedding_width() const override { return 3; }
    Tensor tokenize(const Tensor& tokens) const override { return tokens; }
    Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm) const override {
      seen = mask.to_doubles();
      return {{}, 0 * tokens};
    }
    Tensor reconstruct(const Encoded& encoded) const override { return encoded.tokens; }
    Tensor embed(const Encoded& encoded) const override { return encoded.tokens; }
    Tensor pool(const Encoded& encoded) const override { return encoded.tokens; }
    mutable std::vector<double> seen;
  };
  const auto zero = std::make_shared<Zero>();
  PlainEngine plain({{"spectrum", {zero, raw}}}, device());
  const auto loss = make_loss("masked_spectrum", "spans = 3\nspan_length = 5");
  loss->attach(plain);
  EXPECT_NEAR(loss->forward(plain).total.item(), 1.0, 1e-6);
  for (size_t sample = 0; sample < 2; ++sample) {
    for (size_t section = 0; section < 3; ++section) {
      double hidden = 0, edges = 0, previous = 0;
      for (size_t token = 0; token < 20; ++token) {
        const double value = zero->seen[sample * 60 + section * 20 + token];
        hidden += value;
        edges += value > previous ? 1 : 0;
        previous = value;
      }
      EXPECT_EQ(hidden, 5) << "sample " << sample << ", section " << section;
      EXPECT_EQ(edges, 1);
    }
  }
  const auto wide = make_loss("masked_spectrum", "spans = 3\nspan_length = 21");
  EXPECT_THAT([&] { wide->attach(plain); },
              testing::ThrowsMessage<Error>("[masked_spectrum] 3 spans of 21 tokens do not fit into 60 tokens"));
}

INSTANTIATE_TEST_SUITE_P(, LossFixture, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
