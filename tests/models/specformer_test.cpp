// The spectrum tower against numbers of the published implementation, to the last weight after six steps.
#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/operators.h"
#include "optim/adamw.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::make_encoder;
using testing_support::relative_error;
using testing_support::tiny_specformer;

class SpecformerFixture : public testing_support::OnEachBackend {
 protected:
  void SetUp() override {
    specformer_ = make_encoder("specformer", tiny_specformer, device());
    std::vector<NamedTensor> weights = Fixture("specformer.weights", device()).all("", "backbone.");
    for (const NamedTensor& entry : specformer_->state()) {
      if (!entry.name.starts_with("backbone.")) weights.push_back(entry);
    }
    const nn::LoadReport report = nn::load_state(specformer_->state(), weights);
    ASSERT_TRUE(report.complete() && report.unexpected.empty());
    const Tensor spectra = io_["spectra"];
    tokens_ = specformer_->tokenize(spectra.view_as({spectra.size(0), spectra.size(1)}));
  }

  std::vector<NamedTensor> backbone() const {
    std::vector<NamedTensor> all;
    for (const NamedTensor& entry : specformer_->parameters()) {
      if (entry.name.starts_with("backbone.")) all.push_back(entry);
    }
    return all;
  }

  /// The masked loss on the fixture's own masked tokens: mean squared error over the changed entries.
  Tensor masked_loss() const {
    const Encoded encoded = specformer_->encode(io_["masked_tokens"], {}, TokenForm::pretraining);
    const Tensor changed = ops::nonzero(io_["masked_tokens"] - io_["tokens"]);
    const Tensor error = ability<Reconstruction>(*specformer_).reconstruct(encoded) - io_["tokens"];
    return ops::mean(ops::square(error * changed)) / ops::mean(changed);
  }

  std::shared_ptr<Encoder> specformer_;
  Fixture io_{"specformer.io", device()};
  Tensor tokens_;
};

TEST_P(SpecformerFixture, Preprocessing) { EXPECT_LT(relative_error(tokens_, io_["tokens"]), 1e-5); }

TEST_P(SpecformerFixture, EmbeddingAndReconstruction) {
  const Encoded encoded = specformer_->encode(tokens_, {}, TokenForm::pretraining);
  EXPECT_LT(relative_error(encoded.tokens, io_["embedding"]), 1e-5);
  EXPECT_LT(relative_error(ability<Reconstruction>(*specformer_).reconstruct(encoded), io_["reconstructions"]), 1e-5);
}

TEST_P(SpecformerFixture, Bf16LeavesTheDirectionOfTokens) {
  const ops::PrecisionScope scope(Precision::bf16);
  const Encoded encoded = specformer_->encode(tokens_, {}, TokenForm::pretraining);
  EXPECT_GE(testing_support::lowest_cosine(encoded.tokens, io_["embedding"]), 0.999);
}

TEST_P(SpecformerFixture, AMaskHidesWholeTokens) {
  // The published mask, read off the masked tokens: tokens whose entries all became zero although some were not.
  const std::vector<double> masked = io_.doubles("masked_tokens"), plain = io_.doubles("tokens");
  const int64_t batch = tokens_.size(0), count = tokens_.size(1), width = tokens_.size(2);
  std::vector<double> hidden(static_cast<size_t>(batch * count), 0.0);
  for (size_t i = 0; i < masked.size(); ++i) {
    if (masked[i] != plain[i]) hidden[i / static_cast<size_t>(width)] = 1.0;
  }
  const Tensor mask = Tensor::from_host(hidden, {batch, count}, tokens_.dtype(), device());
  const Encoded encoded = specformer_->encode(tokens_, mask, TokenForm::pretraining);
  EXPECT_LT(relative_error(ability<Reconstruction>(*specformer_).reconstruct(encoded), io_["masked_reconstructions"]),
            1e-5);
}

TEST_P(SpecformerFixture, LossAndEveryGradientByName) {
  const Tensor loss = masked_loss();
  EXPECT_LT(relative_error(loss, io_["loss"]), 1e-5);
  autograd::backward(loss);
  const Fixture gradients("specformer.grads", device());
  for (const NamedTensor& entry : backbone()) {
    ASSERT_TRUE(entry.tensor.grad().defined()) << entry.name;
    EXPECT_LT(relative_error(entry.tensor.grad(), gradients[entry.name.substr(9)]), 1e-4) << entry.name;
  }
}

TEST_P(SpecformerFixture, LossAndEveryGradientByNameInBf16) {
  const ops::PrecisionScope scope(Precision::bf16);
  const Tensor loss = masked_loss();
  EXPECT_LT(relative_error(loss, io_["loss"]), 4e-3);
  autograd::backward(loss);
  const Fixture gradients("specformer.grads", device());
  for (const NamedTensor& entry : backbone()) {
    EXPECT_LT(testing_support::relative_distance(entry.tensor.grad(), gradients[entry.name.substr(9)]), 2e-2)
        << entry.name;
  }
}

TEST_P(SpecformerFixture, SixStepsOfAdamw) {
  const Fixture trajectory("specformer.trajectory", device());
  const std::vector<double> expected = trajectory.doubles("loss_and_grad_norm");
  optim::Adamw adamw(backbone(), {.beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.1, .clip_norm = 1.0});
  for (size_t step = 0; step < 6; ++step) {
    const Tensor loss = masked_loss();
    autograd::backward(loss);
    const auto norm = adamw.step({1e-3});
    EXPECT_NEAR(loss.item() / expected[2 * step], 1.0, 1e-4) << "step " << step;
    EXPECT_NEAR(norm.norm / expected[2 * step + 1], 1.0, 1e-4) << "step " << step;
  }
  for (const NamedTensor& entry : backbone()) {
    testing_support::expect_trained(entry.name, entry.tensor, trajectory["final." + entry.name.substr(9)], 2 * 6e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(, SpecformerFixture, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
