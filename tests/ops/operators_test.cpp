// Operators on tensors and scalars: what they compute, and that scalars fold into one affine.
#include "ops/operators.h"

#include <gmock/gmock.h>

#include "autograd/tape.h"
#include "testing/gradient_check.h"

namespace astroclip {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing_support::gradient_errors;
using testing_support::random_tensor;
using testing_support::reference_device;

Tensor row(const std::vector<double>& values) {
  return Tensor::from_host(values, {static_cast<int64_t>(values.size())}, DType::f64, reference_device);
}

/// Names of the ops on the way from a leaf to a result, the last one first.
std::vector<std::string> ops_of(const Tensor& result) {
  std::vector<std::string> names;
  for (auto node = result.node(); node; node = node->inputs.at(0).node()) names.push_back(node->name);
  return names;
}

TEST(Operators, ComputeWithScalars) {
  const Tensor x = row({1.0, -4.0});
  const int64_t two = 2;
  EXPECT_THAT(Tensor(x * two).to_doubles(), ElementsAre(2.0, -8.0));
  EXPECT_THAT(Tensor(0.5 * x).to_doubles(), ElementsAre(0.5, -2.0));
  EXPECT_THAT(Tensor(x + 3).to_doubles(), ElementsAre(4.0, -1.0));
  EXPECT_THAT(Tensor(3 + x).to_doubles(), ElementsAre(4.0, -1.0));
  EXPECT_THAT(Tensor(x - 3).to_doubles(), ElementsAre(-2.0, -7.0));
  EXPECT_THAT(Tensor(3 - x).to_doubles(), ElementsAre(2.0, 7.0));
  EXPECT_THAT(Tensor(x / two).to_doubles(), ElementsAre(0.5, -2.0));
  EXPECT_THAT(Tensor(2 / x).to_doubles(), ElementsAre(2.0, -0.5));
  EXPECT_THAT(Tensor(-x).to_doubles(), ElementsAre(-1.0, 4.0));
}

TEST(Operators, ComputeWithTensorsOfBroadcastShapes) {
  const Tensor a = row({1.0, -4.0}), b = row({2.0});
  EXPECT_THAT((a + b).to_doubles(), ElementsAre(3.0, -2.0));
  EXPECT_THAT((a - b).to_doubles(), ElementsAre(-1.0, -6.0));
  EXPECT_THAT((a * b).to_doubles(), ElementsAre(2.0, -8.0));
  EXPECT_THAT((b / a).to_doubles(), ElementsAre(2.0, -0.5));
  EXPECT_THAT((2 * a + (1 - b)).to_doubles(), ElementsAre(1.0, -9.0));
  EXPECT_THAT(((a - 1) * b).to_doubles(), ElementsAre(0.0, -10.0));
  EXPECT_THAT((a / (b + 2)).to_doubles(), ElementsAre(0.25, -1.0));
  EXPECT_THAT(ops::maximum(a, -1.5).to_doubles(), ElementsAre(1.0, -1.5));
}

TEST(Operators, ScalarsFoldIntoOneAffine) {
  Tensor x = row({3.0});
  x.set_requires_grad(true);
  const Tensor folded = 4 - (2 * x + 1) / 4 * 0.5;  // 4 − (2 · 3 + 1)/8
  EXPECT_THAT(folded.item(), DoubleEq(3.125));
  EXPECT_THAT(ops_of(folded), ElementsAre("affine"));
  EXPECT_THAT(ops_of(-ops::exp(x)), ElementsAre("negate", "exp"));
  EXPECT_TRUE(ops_of(1 * x + 0).empty());
}

TEST(Operators, CarryGradients) {
  Rng rng(3, RngStream::tests);
  const Tensor a = random_tensor({3, 4}, rng), b = random_tensor({3, 1}, rng, 0.5, 2.0);
  const auto formula = [&] { return (1 - a * b) / (b + 3) - 2 * ops::maximum(a, 0.1) / 7; };
  EXPECT_EQ(gradient_errors(formula, {{"a", a}, {"b", b}}, rng), "");
}

TEST(Operators, ProductsNameTheTransposedFactor) {
  const Tensor a = Tensor::from_host(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3}, DType::f64, reference_device);
  EXPECT_THAT(ops::matmul_nt(a, a).to_doubles(), ElementsAre(14, 32, 32, 77));
  EXPECT_THAT(ops::matmul_tn(a, a).to_doubles(), ElementsAre(17, 22, 27, 22, 29, 36, 27, 36, 45));
}

}  // namespace
}  // namespace astroclip
