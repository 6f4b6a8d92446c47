#include "nn/convolution.h"

#include <gmock/gmock.h>

#include <cmath>

#include "autograd/tape.h"
#include "base/error.h"
#include "ops/operators.h"
#include "support/devices.h"

namespace astroclip::nn {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::ThrowsMessage;

using testing_support::reference;

Tensor of(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from_host(values, shape, DType::f64, reference);
}

void set(const Module& module, const std::string& name, const std::vector<double>& values) {
  for (const NamedTensor& entry : module.state()) {
    if (entry.name != name) continue;
    Tensor tensor = entry.tensor;
    tensor.copy_from(of(values, tensor.shape()));
  }
}

std::vector<double> get(const Module& module, const std::string& name) {
  for (const NamedTensor& entry : module.state()) {
    if (entry.name == name) return entry.tensor.to_doubles();
  }
  return {};
}

TEST(Conv1d, SlidesItsWindowOverTheSequence) {
  Conv1d convolution({.in = 1, .out = 2, .window = 2, .padding = 1});
  convolution.materialize(reference, 1);
  set(convolution, "weight", {1, 10, 0, -1});
  set(convolution, "bias", {0, 0.5});
  // Windows (0, 1), (1, 2), (2, 3), (3, 0).
  const Tensor y = convolution(of({1, 2, 3}, {1, 3, 1}));
  EXPECT_EQ(y.shape(), (Shape{1, 4, 2}));
  EXPECT_THAT(y.to_doubles(), ElementsAre(10, -0.5, 21, -1.5, 32, -2.5, 3, 0.5));
}

TEST(Conv2d, WithoutBiasHasOnlyAWeight) {
  Conv2d convolution({.in = 1, .out = 1, .window = 2, .stride = 2, .bias = false});
  convolution.materialize(reference, 1);
  ASSERT_EQ(convolution.state().size(), 1U);
  set(convolution, "weight", {1, 2, 3, 4});
  EXPECT_THAT(convolution(of({1, 1, 0, 1, 1, 1, 0, 0}, {1, 2, 4, 1})).to_doubles(), ElementsAre(10, 2));
}

TEST(MaxPool1d, PadsWithNothing) {
  const Tensor y = max_pool1d(of({-5, -2, -3, -4}, {1, 4, 1}), 3, 3, 1);
  EXPECT_THAT(y.to_doubles(), ElementsAre(-2, -3));
}

TEST(BatchNorm, TrainsByTheBatchAndRemembersIt) {
  BatchNorm norm(1, 0.0, 0.25);
  norm.materialize(reference, 1);
  norm.set_training(true);
  // Mean 3, variance 4; unbiased 16/3.
  EXPECT_THAT(norm(of({1, 1, 5, 5}, {2, 2, 1})).to_doubles(), ElementsAre(-1, -1, 1, 1));
  EXPECT_THAT(get(norm, "running_mean"), ElementsAre(DoubleEq(0.75)));
  EXPECT_THAT(get(norm, "running_var"), ElementsAre(DoubleEq(0.75 + 4.0 / 3.0)));
}

TEST(BatchNorm, EvaluatesByWhatItHasSeen) {
  BatchNorm norm(1, 1.0);
  norm.materialize(reference, 1);
  set(norm, "weight", {2});
  set(norm, "bias", {5});
  set(norm, "running_mean", {4});
  set(norm, "running_var", {3});
  EXPECT_THAT(norm(of({4, 6}, {1, 2, 1})).to_doubles(), ElementsAre(5, 7));
  norm.set_training(true);
  norm.set_trainable("", false);  // frozen: it neither follows the batch nor moves
  EXPECT_THAT(norm(of({4, 6}, {1, 2, 1})).to_doubles(), ElementsAre(5, 7));
  EXPECT_THAT(get(norm, "running_mean"), ElementsAre(4));
}

TEST(BatchNorm, NormalisesGroupsOfTheBatchApart) {
  BatchNorm norm(1, 0.0, 0.25);
  norm.materialize(reference, 1);
  norm.set_training(true);
  norm.set_batch_statistics({.groups = 2});
  // Means 3 and 4, variances 4 and 12; unbiased 16/3 and 16.
  const double apart = std::sqrt(12.0);
  EXPECT_THAT(
      norm(of({1, 1, 5, 5, 2, 2, 2, 10}, {4, 2, 1})).to_doubles(),
      ElementsAre(-1, -1, 1, 1, DoubleEq(-2 / apart), DoubleEq(-2 / apart), DoubleEq(-2 / apart), DoubleEq(6 / apart)));
  EXPECT_THAT(get(norm, "running_mean"), ElementsAre(DoubleEq(0.25 * 3.5)));
  EXPECT_THAT(get(norm, "running_var"), ElementsAre(DoubleEq(0.75 + 0.25 * 32.0 / 3.0)));
  EXPECT_THAT(
      [&] {
        norm(of({1, 2, 3, 4, 5, 6}, {3, 2, 1}));
      },
      ThrowsMessage<Error>("[batch_norm] the first axis of x [3, 2, 1] does not fall into 2 equal groups"));
}

TEST(BatchNorm, AFrozenOneMayFollowTheBatch) {
  BatchNorm norm(1, 0.0, 0.25);
  norm.materialize(reference, 1);
  norm.set_training(true);
  norm.set_trainable("", false);
  norm.set_batch_statistics({.of_frozen = true});
  const autograd::NoGrad no_grad;
  EXPECT_THAT(norm(of({1, 1, 5, 5}, {2, 2, 1})).to_doubles(), ElementsAre(-1, -1, 1, 1));
  EXPECT_THAT(get(norm, "running_mean"), ElementsAre(DoubleEq(0.75)));
}

TEST(BatchNorm, APassWithoutTheTapeIsNotRemembered) {
  BatchNorm norm(1);
  norm.materialize(reference, 1);
  norm.set_training(true);
  const autograd::NoGrad no_grad;
  norm(of({1, 1, 5, 5}, {4, 1}));
  EXPECT_THAT(get(norm, "running_mean"), ElementsAre(0));
}

/// Whether the norm goes into the weight or follows the convolution is a matter of rounding.
TEST(ConvNorm2d, IsTheConvolutionAndTheNormBehindIt) {
  ConvNorm2d both({.in = 2, .out = 3, .window = 3, .stride = 2, .padding = 1}, "conv1", "bn1");
  both.materialize(reference, 1);
  set(both, "bn1.weight", {2, -1, 0.5});
  set(both, "bn1.bias", {1, 2, -1});
  set(both, "bn1.running_mean", {0.1, -0.2, 0.3});
  set(both, "bn1.running_var", {0.5, 2, 1});
  std::vector<double> values(32);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i));
  const Tensor x = of(values, {1, 4, 4, 2}), residual = of(std::vector<double>(12, 0.25), {1, 2, 2, 3});
  const auto found = both(x, true, residual).to_doubles();
  Conv2d convolution({.in = 2, .out = 3, .window = 3, .stride = 2, .padding = 1, .bias = false});
  BatchNorm norm(3);
  convolution.materialize(reference, 1);
  norm.materialize(reference, 1);
  set(convolution, "weight", get(both, "conv1.weight"));
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    set(norm, name, get(both, std::string("bn1.") + name));
  }
  const auto expected = ops::relu(norm(convolution(x)) + residual).to_doubles();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12);
}

TEST(PRelu, ScalesWhatIsNegative) {
  PRelu activation(2);
  activation.materialize(reference, 1);
  set(activation, "weight", {0.5, -1});
  EXPECT_THAT(activation(of({-2, -2, 3, 3}, {2, 2})).to_doubles(), ElementsAre(-1, 2, 3, 3));
}

}  // namespace
}  // namespace astroclip::nn
