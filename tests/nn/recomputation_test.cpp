// Blocks that are recomputed give the same bits: results, gradients, draws and statistics.
#include <gmock/gmock.h>

#include "autograd/tape.h"
#include "base/error.h"
#include "nn/convolution.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "support/devices.h"
#include "testing/gradient_check.h"

namespace astroclip::nn {
namespace {

using Values = std::vector<std::vector<double>>;

struct BlockCase {
  std::string name;
  double dropout = 0.0;
  StochasticDepth depth = {};
  std::optional<double> layer_scale = {};
};

const BlockCase block_cases[] = {
    {"Plain"},
    {"LayerScale", 0.0, {}, 0.3},
    {"Dropout", 0.3, {}, 0.3},
    {"FixedShare", 0.0, {.rate = 0.4}, 0.3},
    {"Independent", 0.2, {.rate = 0.5, .draw = StochasticDepth::Draw::independent}},
};

class Recomputation : public testing::TestWithParam<std::tuple<BlockCase, DeviceKind>> {
 protected:
  Device device() const { return device_; }
  Tensor draw(const Shape& shape, Rng& rng) const {
    Tensor drawn = Tensor::from_host(testing_support::random_tensor(shape, rng).to_doubles(), shape,
                                     backend_of(device_).compute_dtype(), device_);
    drawn.set_requires_grad(true);
    return drawn;
  }

 private:
  Device device_ = testing_support::present(std::get<1>(GetParam()));
};

/// Two blocks on crops of two sizes, as DINOv2 calls them, and once more after the backward pass.
TEST_P(Recomputation, OfTransformerBlocksGivesTheSameBits) {
  const BlockCase& given = std::get<0>(GetParam());
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (!backend_of(device()).supports(precision)) continue;
    const ops::PrecisionScope scope(precision);
    const auto run = [&](bool recomputes) {
      struct Blocks final : Module {
        explicit Blocks(const BlockCase& of) {
          const BlockOptions options{.dim = 64,
                                     .heads = 2,
                                     .hidden = 128,
                                     .layer_scale = of.layer_scale,
                                     .dropout = of.dropout,
                                     .input_weight = Init::normal(0.1),
                                     .hidden_weight = Init::normal(0.1)};
          const BlockNames names = {"norm1", "qkv", "proj", "norm2", "fc1", "fc2", "ls1", "ls2"};
          for (auto& block : all) block = std::make_unique<TransformerBlock>(options, names);
          child("0", *all[0]);
          child("1", *all[1]);
        }
        Tensor operator()(const Tensor& x) const { return (*all[1])((*all[0])(x)); }
        std::array<std::unique_ptr<TransformerBlock>, 2> all;
      };
      Blocks blocks(given);
      blocks.materialize(device(), 5);
      blocks.set_stochastic_depth(given.depth);
      blocks.set_recomputation(recomputes);
      blocks.set_training(true);
      blocks.set_step_seed(7);
      Rng rng(8, RngStream::tests);
      const Tensor large = draw({6, 9, 64}, rng), small = draw({10, 4, 64}, rng);
      const Tensor a = blocks(large), b = blocks(small);
      Values all = {a.to_doubles(), b.to_doubles()};
      autograd::backward(ops::sum(ops::square(a + large)) + ops::sum(ops::square(b)) * 0.5);
      all.push_back(blocks(large).to_doubles());
      all.push_back(large.grad().to_doubles());
      all.push_back(small.grad().to_doubles());
      for (const NamedTensor& entry : blocks.parameters()) all.push_back(entry.tensor.grad().to_doubles());
      return all;
    };
    EXPECT_EQ(run(true), run(false)) << (precision == Precision::bf16 ? "bf16" : "f32");
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Recomputation,
                         testing::Combine(testing::ValuesIn(block_cases), testing_support::each_backend()),
                         [](const auto& instance) {
                           return std::get<0>(instance.param).name + "_" +
                                  testing_support::name_of(std::get<1>(instance.param));
                         });

/// The moments of batch norms are followed once, when they are first computed.
TEST(RecomputationOfBatchNorm, FollowsTheBatchOnce) {
  struct Block final : Module {
    Block() : layer({.in = 3, .out = 3, .window = 3, .padding = 1}, "conv", "norm") {
      declare_recomputation();
      child("", layer);
    }
    Tensor operator()(const Tensor& x) const {
      return recomputed([this, x] { return layer(x, true, {}, ops::Readers::any); });
    }
    ConvNorm2d layer;
  };
  const auto run = [](bool recomputes) {
    Block block;
    block.materialize(testing_support::reference_device, 3);
    block.set_recomputation(recomputes);
    block.set_training(true);
    Rng rng(4, RngStream::tests);
    Tensor a = testing_support::random_tensor({2, 5, 5, 3}, rng);
    Tensor b = testing_support::random_tensor({3, 4, 4, 3}, rng, 0.0, 2.0);
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    const Tensor sum = ops::sum(ops::square(block(a))) + ops::sum(block(b));
    autograd::backward(sum);
    Values all = {sum.to_doubles(), a.grad().to_doubles(), b.grad().to_doubles()};
    for (const NamedTensor& entry : block.state()) {
      all.push_back(entry.tensor.to_doubles());
      if (entry.tensor.grad().defined()) all.push_back(entry.tensor.grad().to_doubles());
    }
    return all;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(RecomputationOfNothing, IsRefused) {
  Linear plain(4, 4, Init::normal(1.0));
  plain.set_recomputation(false);
  EXPECT_THAT([&] { plain.set_recomputation(true); },
              testing::ThrowsMessage<Error>("there are no blocks that could be recomputed"));
}

}  // namespace
}  // namespace astroclip::nn
