// Fused ops against the same formulas put together from plain ones, values and gradients, on each backend.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/ops.h"
#include "testing/gradient_check.h"

namespace astroclip::ops {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;
using testing_support::random_tensor;
using testing_support::relative_error;

class Fused : public testing_support::OnEachBackend {
 protected:
  Tensor random(const Shape& shape, double low = -1.0, double high = 1.0) {
    const Tensor values = random_tensor(shape, rng_, low, high);
    return Tensor::from_host(values.to_doubles(), shape, backend_of(device()).compute_dtype(), device());
  }

  /// Both functions give the same result and, under one random cotangent, the same gradient of every input.
  void expect_same(const Function& fused, const Function& composed, const std::vector<Tensor>& inputs) {
    expect_same(fused, composed, inputs, device().kind == DeviceKind::reference ? 1e-12 : 2e-5);
  }
  void expect_same(const Function& fused, const Function& composed, const std::vector<Tensor>& inputs,
                   double tolerance) {
    std::vector<std::vector<Tensor>> leaves;
    std::vector<Tensor> results;
    Tensor cotangent;
    for (const Function* function : {&fused, &composed}) {
      std::vector<Tensor> own;
      for (const Tensor& input : inputs) {
        own.push_back(input.clone());
        own.back().set_requires_grad(true);
      }
      const Tensor result = (*function)(own);
      if (!cotangent.defined()) cotangent = random(result.shape());
      autograd::backward(result, cotangent);
      leaves.push_back(own);
      results.push_back(result.detach());
    }
    EXPECT_LT(relative_error(results[0], results[1]), tolerance);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_LT(relative_error(leaves[0][i].grad(), leaves[1][i].grad()), tolerance) << "gradient of input " << i;
    }
  }

  Rng rng_{21, RngStream::tests};
};

Tensor times_transposed(const Tensor& x, const Tensor& weight) { return matmul(x, weight, false, true); }

/// [B, T, heads · width] → [B, heads, T, width]
Tensor by_head(const Tensor& x, int64_t heads) {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {0, 2, 1, 3});
}

Tensor composed_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(2) / heads));
  const Tensor scores = affine(matmul(by_head(q, heads), by_head(k, heads), false, true), scale);
  const Tensor largest = exp(affine(scores, 1.0, -10.0));
  const Tensor weights = divide(largest, sum(largest, {-1}, true));
  return reshape(permute(matmul(weights, by_head(v, heads)), {0, 2, 1, 3}), q.shape());
}

TEST_P(Fused, LinearWithBiasGeluAndResidual) {
  const std::vector<Tensor> inputs = {random({7, 13}), random({19, 13}), random({19}), random({7, 19})};
  expect_same(
      [](const auto& in) {
        return linear(in[0], in[1], in[2], {Activation::gelu, in[3]});
      },
      [](const auto& in) { return add(gelu(add(times_transposed(in[0], in[1]), in[2])), in[3]); }, inputs);
}

TEST_P(Fused, LinearWithBiasAndResidualWithoutActivation) {
  const std::vector<Tensor> inputs = {random({5, 9}), random({17, 9}), random({17}), random({5, 17})};
  expect_same(
      [](const auto& in) {
        return linear(in[0], in[1], in[2], {Activation::none, in[3]});
      },
      [](const auto& in) { return add(add(times_transposed(in[0], in[1]), in[2]), in[3]); }, inputs);
}

TEST_P(Fused, LinearWithScaleAndResidual) {
  expect_same([](const auto& in) { return linear(in[0], in[1], in[2], {.residual = in[3], .scale = in[4]}); },
              [](const auto& in) { return add(multiply(add(times_transposed(in[0], in[1]), in[2]), in[4]), in[3]); },
              {random({5, 9}), random({17, 9}), random({17}), random({5, 17}), random({17})});
}

/// A block of attention and one of an MLP: rounding what passes from op to op, and its gradient, changes no more than
/// rounding the operands of products does.
TEST_P(Fused, WhatProductsAloneReadMayBeStoredAsTheyReadIt) {
  if (!backend_of(device()).supports(Precision::bf16)) GTEST_SKIP() << "this backend does not multiply bf16";
  const PrecisionScope scope(Precision::bf16);
  const auto blocks = [](Readers readers) {
    return [=](const auto& in) {
      const auto normal = [&](const Tensor& x) { return layer_norm(x, in[1], in[2], 1e-5, readers); };
      const Tensor qkv = linear(normal(in[0]), in[3], {}, {.readers = readers});
      const Tensor mixed = linear(self_attention(qkv, 2), in[4], in[2], {.residual = in[0]});
      const Tensor hidden = linear(normal(mixed), in[3], {}, {.activation = Activation::gelu, .readers = readers});
      return linear(hidden, in[5], in[2], {.residual = mixed, .scale = in[1]});
    };
  };
  expect_same(blocks(Readers::products), blocks(Readers::any),
              {random({2, 21, 24}), random({24}), random({24}), random({72, 24}, -0.3, 0.3),
               random({24, 24}, -0.3, 0.3), random({24, 72}, -0.3, 0.3)},
              2e-2);
}

TEST_P(Fused, SelfAttention) {
  constexpr int64_t heads = 3, dim = 15;
  expect_same([](const auto& in) { return self_attention(in[0], heads); },
              [](const auto& in) {
                const auto part = [&](int64_t i) { return narrow(in[0], 2, i * dim, dim); };
                return composed_attention(part(0), part(1), part(2), heads);
              },
              {random({2, 11, 3 * dim}, -2.0, 2.0)});
}

TEST_P(Fused, CrossAttention) {
  constexpr int64_t heads = 2;
  expect_same([](const auto& in) { return cross_attention(in[0], in[1], in[2], heads); },
              [](const auto& in) { return composed_attention(in[0], in[1], in[2], heads); },
              {random({3, 1, 10}), random({3, 21, 10}), random({3, 21, 10})});
}

TEST_P(Fused, AttentionPool) {
  expect_same(
      [](const auto& in) { return attention_pool(in[0], in[1]); },
      [](const auto& in) {
        const Tensor& tokens = in[0];
        const Tensor shares = exp(permute(matmul(tokens, broadcast_to(in[1], {3, 2, 12}), false, true), {0, 2, 1}));
        return permute(matmul(divide(shares, sum(shares, {-1}, true)), tokens), {1, 0, 2});
      },
      {random({3, 21, 12}), random({2, 12})});
}

TEST_P(Fused, LayerNorm) {
  constexpr double epsilon = 1e-6;
  expect_same([](const auto& in) { return layer_norm(in[0], in[1], in[2], epsilon); },
              [](const auto& in) {
                const Tensor centred = subtract(in[0], mean(in[0], {-1}, true));
                const Tensor deviation = sqrt(affine(mean(square(centred), {-1}, true), 1.0, epsilon));
                return add(multiply(divide(centred, deviation), in[1]), in[2]);
              },
              {random({6, 37}), random({37}), random({37})});
}

TEST_P(Fused, CrossEntropy) {
  const std::vector<int64_t> classes = {3, 0, 12, 7};
  const Tensor targets = Tensor::from_host(std::span<const int64_t>(classes), {4}, device());
  std::vector<double> one_hot(4 * 13, 0.0);
  for (size_t row = 0; row < classes.size(); ++row) one_hot[row * 13 + static_cast<size_t>(classes[row])] = 1.0;
  const Tensor chosen = Tensor::from_host(one_hot, {4, 13}, backend_of(device()).compute_dtype(), device());
  expect_same([&](const auto& in) { return cross_entropy(in[0], targets); },
              [&](const auto& in) { return subtract(log(sum(exp(in[0]), {-1})), sum(multiply(in[0], chosen), {-1})); },
              {random({4, 13}, -3.0, 3.0)});
}

TEST_P(Fused, SoftCrossEntropy) {
  const std::vector<int64_t> pairs = {2, 0, 1, -1, -1, -1, 2, 2};
  const Tensor against = Tensor::from_host(std::span<const int64_t>(pairs), {4, 2}, device());
  const Tensor targets = random({3, 37}, 0.0, 1.0);
  const Tensor none = Tensor::zeros({37}, targets.dtype(), device());
  const auto row = [&](int64_t i) { return i < 0 ? none : reshape(narrow(targets, 0, i, 1), {37}); };
  std::vector<Tensor> met;
  for (size_t i = 0; i < pairs.size(); i += 2) met.push_back(reshape(add(row(pairs[i]), row(pairs[i + 1])), {1, 37}));
  const Tensor all = concat(met, 0);
  expect_same([&](const auto& in) { return soft_cross_entropy(in[0], targets, against, 0.2); },
              [&](const auto& in) {
                const Tensor scaled = affine(in[0], 5.0);
                return subtract(multiply(sum(all, {1}), log(sum(exp(scaled), {1}))), sum(multiply(all, scaled), {1}));
              },
              {random({4, 37}, -2.0, 2.0)});
}

TEST_P(Fused, ABranchThatIsAddedToSomeRows) {
  const std::vector<int64_t> rows = {4, 0, 4};
  const Tensor index = Tensor::from_host(std::span<const int64_t>(rows), {3}, device());
  expect_same([&](const auto& in) { return add_rows(in[0], in[1], {.index = index, .scale = in[2], .factor = 1.5}); },
              [&](const auto& in) {
                const Tensor branch = affine(multiply(in[1], in[2]), 1.5);
                const auto part = [&](int64_t i) { return narrow(branch, 0, i, 1); };
                const Tensor nothing = affine(part(0), 0.0);
                return add(in[0], concat({part(1), nothing, nothing, nothing, add(part(0), part(2))}, 0));
              },
              {random({5, 2, 37}), random({3, 2, 37}), random({37})});
}

TEST_P(Fused, WeightNorm) {
  expect_same([](const auto& in) { return weight_norm(in[0], in[1], 1e-3); },
              [](const auto& in) { return multiply(divide(in[0], sqrt(sum(square(in[0]), {-1}, true))), in[1]); },
              {random({5, 23}), random({5, 1})});
}

TEST_P(Fused, RowsOfUnitLength) {
  expect_same([](const auto& in) { return normalize_rows(in[0], 1e-3); },
              [](const auto& in) { return divide(in[0], sqrt(sum(square(in[0]), {-1}, true))); }, {random({5, 23})});
}

TEST_P(Fused, RowsShorterThanTheFloorAreDividedByIt) {
  expect_same([](const auto& in) { return normalize_rows(in[0], 100.0); },
              [](const auto& in) { return affine(in[0], 0.01); }, {random({5, 23})});
}

INSTANTIATE_TEST_SUITE_P(, Fused, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::ops
