// Stochastic depth against numbers of DINOv2's block.
#include "autograd/tape.h"
#include "models/model_support.h"
#include "nn/layers.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

class DropPathFixture : public testing_support::OnEachBackend {
 protected:
  DropPathFixture()
      : io("drop_path", device()),
        block({.dim = 48,
               .heads = 4,
               .hidden = 192,
               .epsilon = 1e-6,
               .layer_scale = 1.0,
               .input_weight = {},
               .hidden_weight = {}},
              {"norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2", "ls1.gamma", "ls2.gamma"}) {
    block.materialize(device(), 1);
    const nn::LoadReport report = nn::load_state(block.state(), io.all("weights."));
    EXPECT_TRUE(report.complete() && report.unexpected.empty());
  }

  nn::KeptSamples kept(const std::string& name, double scale) const {
    std::vector<int64_t> index;
    for (const double sample : io.doubles(name)) index.push_back(static_cast<int64_t>(sample));
    return {index, scale, device()};
  }

  /// Samples whose factor in the fixture is not 0.
  nn::KeptSamples with_factor(const std::string& name) const {
    const std::vector<double> factors = io.doubles(name);
    std::vector<int64_t> index;
    for (size_t i = 0; i < factors.size(); ++i) {
      if (factors[i] != 0.0) index.push_back(static_cast<int64_t>(i));
    }
    return {index, 1.0 / 0.9, device()};
  }

  /// Forward and backward of one batch.
  void expect_output(const std::string& batch, const std::string& result, const nn::KeptSamples& attention,
                     const nn::KeptSamples& mlp) {
    Tensor input = io[batch + ".input"];
    input.set_requires_grad(true);
    const Tensor output = block(input, attention, mlp);
    EXPECT_LT(relative_error(output, io[result + ".output"]), 1e-5) << result;
    autograd::backward(output, io[batch + ".cotangent"]);
    EXPECT_LT(relative_error(input.grad(), io[result + ".grad_input"]), 1e-4) << result;
  }

  void expect_gradients(const std::string& prefix) const {
    const auto parameters = block.parameters();
    EXPECT_EQ(parameters.size(), 14U);
    for (const NamedTensor& entry : parameters) {
      EXPECT_LT(relative_error(entry.tensor.grad(), io[prefix + entry.name]), 1e-4) << entry.name;
    }
  }

  Fixture io;
  nn::TransformerBlock block;
};

TEST_P(DropPathFixture, SubsetsOfTwoCropSizes) {
  for (const std::string batch : {"list.0", "list.1"}) {
    const double scale = io.doubles(batch + ".scale")[0];
    expect_output(batch, batch, kept(batch + ".attn_indices", scale), kept(batch + ".ffn_indices", scale));
  }
  expect_gradients("list.grad.");
}

TEST_P(DropPathFixture, SubsetsOfOneBatch) {
  const double scale = 7.0 / 4.0;
  expect_output("list.0", "tensor", kept("tensor.attn_indices", scale), kept("tensor.ffn_indices", scale));
  expect_gradients("tensor.grad.");
}

TEST_P(DropPathFixture, SamplesThatSkipEachByItself) {
  expect_output("list.0", "per_sample", with_factor("per_sample.attn_keep"), with_factor("per_sample.ffn_keep"));
}

TEST_P(DropPathFixture, NothingSkipsInEvaluation) {
  block.set_stochastic_depth({.rate = 0.3});
  for (const std::string number : {"0", "1"}) {
    EXPECT_LT(relative_error(block(io["list." + number + ".input"]), io["eval." + number + ".output"]), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, DropPathFixture, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
