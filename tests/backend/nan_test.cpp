// A NaN goes through every op to each element that depends on it, and to no other: whatever its bits, on every
// instruction set, in every precision, with the tape and without.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "autograd/tape.h"
#include "base/rng.h"
#include "nn/convolution.h"
#include "ops/operators.h"
#include "support/devices.h"

namespace astroclip {
namespace {

/// Where the running test computes.
Device on = Device::host();

Tensor random(const Shape& shape) {
  Rng rng(31, RngStream::tests, static_cast<uint64_t>(shape.numel()));
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = rng.uniform(0.1, 1.0);
  return Tensor::from_host(values, shape, DType::f32, on);
}

/// A NaN in one block of `in` elements of x spoils the block of `out` elements at the same place of the result.
struct Row {
  std::string name;
  Shape x;
  int64_t in, out;
  std::function<Tensor(const Tensor& x)> op;
};

Row elementwise(const std::string& name, std::function<Tensor(const Tensor&)> op) {
  return {name, {5, 37}, 1, 1, std::move(op)};
}

/// Over the last axis of [19, 37].
Row by_row(const std::string& name, int64_t out, std::function<Tensor(const Tensor&)> op) {
  return {name, {19, 37}, 37, out, std::move(op)};
}

std::vector<Row> elementwise_rows() {
  std::vector<Row> rows;
  const std::pair<const char*, Tensor (*)(const Tensor&)> functions[] = {{"negate", ops::negate},
                                                                         {"exp", ops::exp},
                                                                         {"log", ops::log},
                                                                         {"sqrt", ops::sqrt},
                                                                         {"square", ops::square},
                                                                         {"abs", ops::abs},
                                                                         {"reciprocal", ops::reciprocal},
                                                                         {"tanh", ops::tanh},
                                                                         {"sigmoid", ops::sigmoid},
                                                                         {"log_sigmoid", ops::log_sigmoid},
                                                                         {"relu", ops::relu},
                                                                         {"gelu", ops::gelu}};
  for (const auto& [name, function] : functions) rows.push_back(elementwise(name, function));
  rows.push_back(elementwise("affine", [](const Tensor& x) { return ops::affine(x, 2.0, 1.0); }));
  rows.push_back(elementwise("maximum, first", [](const Tensor& x) { return ops::maximum(x, random({1})); }));
  rows.push_back(elementwise("maximum, second", [](const Tensor& x) { return ops::maximum(random({1}), x); }));
  rows.push_back(elementwise("dropout", [](const Tensor& x) { return ops::dropout(x, 0.5, 7); }));
  rows.push_back(
      elementwise("through bf16", [](const Tensor& x) { return ops::cast(ops::cast(x, DType::bf16), DType::f32); }));
  rows.push_back(elementwise("PReLU", [](const Tensor& x) {
    nn::PRelu prelu(37);
    prelu.materialize(on, 1);
    return prelu(x);
  }));
  return rows;
}

std::vector<Row> row_rows() {
  return {
      by_row("softmax", 37, ops::softmax),
      by_row("log_sum_exp", 1, ops::log_sum_exp),
      by_row("normalize_rows", 37, [](const Tensor& x) { return ops::normalize_rows(x, 1e-3); }),
      by_row("layer_norm", 37, [](const Tensor& x) { return ops::layer_norm(x, random({37}), random({37}), 1e-5); }),
      by_row("sum", 1, [](const Tensor& x) { return ops::sum(x, {1}); }),
      by_row("cross_entropy", 1,
             [](const Tensor& x) {
               return ops::cross_entropy(x, Tensor::from_host(std::vector<int64_t>(19, 2), {19}, on));
             }),
      {"batch_norm",
       {19, 1},
       19,
       19,
       [](const Tensor& x) { return ops::batch_norm(x, random({1}), random({1}), 1e-5); }},
      {"instance_norm", {3, 19, 1}, 19, 19, [](const Tensor& x) { return ops::instance_norm(x, 1e-5); }},
      {"max_pool", {3, 1, 36, 1}, 3, 1, [](const Tensor& x) {
         return ops::max_pool(x, {.size = {1, 3}, .stride = {1, 3}, .padding = {0, 0}});
       }}};
}

std::vector<Row> product_rows() {
  std::vector<Row> rows;
  for (const auto& [name, activation] : {std::pair{"none", Activation::none}, std::pair{"relu", Activation::relu},
                                         std::pair{"gelu", Activation::gelu}}) {
    for (const bool adds : {false, true}) {
      const std::string how = std::string(name) + (adds ? " and residual" : "");
      rows.push_back(by_row("linear, " + how, 21, [=](const Tensor& x) {
        return ops::linear(x, random({21, 37}), random({21}),
                           {.activation = activation, .residual = adds ? random({19, 21}) : Tensor()});
      }));
      if (activation == Activation::gelu) continue;
      rows.push_back({"convolution, " + how, {2, 3, 4, 8}, 8, 5, [=](const Tensor& x) {
                        return ops::convolution(x, random({5, 8, 1, 1}), random({5}),
                                                {.relu = activation == Activation::relu,
                                                 .residual = adds ? random({2, 3, 4, 5}) : Tensor()});
                      }});
    }
  }
  // A NaN in the weight: in the row of one output, with the operands' roles exchanged.
  rows.push_back({"linear, weight", {21, 37}, 37, 19, [](const Tensor& weight) {
                    return ops::permute(ops::linear(random({19, 37}), weight, {}), {1, 0});
                  }});
  rows.push_back(by_row("matmul", 21, [](const Tensor& x) { return ops::matmul(x, random({37, 21})); }));
  return rows;
}

std::vector<Row> attention_rows() {
  std::vector<Row> rows;
  for (const int64_t tokens : {3, 40}) {  // few queries have a kernel of their own
    const auto shape = [=](int64_t count) { return Shape{2, count, 16}; };
    const std::string count = std::to_string(tokens) + " tokens, ";
    rows.push_back({"attention, " + count + "q", shape(tokens), 16, 16,
                    [=](const Tensor& q) { return ops::cross_attention(q, random(shape(40)), random(shape(40)), 1); }});
    rows.push_back({"attention, " + count + "k", shape(40), 40 * 16, tokens * 16, [=](const Tensor& k) {
                      return ops::cross_attention(random(shape(tokens)), k, random(shape(40)), 1);
                    }});
  }
  for (const int64_t width : {16, 5}) {  // with and without a kernel of its own on a card
    const auto tokens = [=](int64_t count) { return Shape{2, count, width}; };
    for (const int64_t count : {3, 200}) {
      const std::string name = "attention_pool, " + std::to_string(count) + " tokens of " + std::to_string(width);
      rows.push_back({name + ", tokens", tokens(count), count * width, width, [=](const Tensor& x) {
                        return ops::attention_pool(x, random({1, width}));
                      }});
      rows.push_back({name + ", queries", {3, width}, width, 2 * width, [=](const Tensor& x) {
                        return ops::attention_pool(random(tokens(count)), x);
                      }});
    }
  }
  return rows;
}

Tensor with_nan(const Shape& shape, int64_t at, uint32_t bits) {
  std::vector<float> values = random(shape).to_floats();
  std::memcpy(&values[static_cast<size_t>(at)], &bits, sizeof bits);
  return Tensor::from_host(values, shape, DType::f32, on);
}

/// Quiet and signalling ones of both signs, with all, one or no further bits: some that bit arithmetic turns into
/// numbers.
constexpr uint32_t payloads[] = {0x7FC00000, 0x7FC00001, 0x7FFFFFFF, 0x7F800001, 0x7FA00000,
                                 0xFFC00000, 0xFFC00001, 0xFFFFFFFF, 0xFF800001};

void expect_spread(const Row& row) {
  for (const int64_t at : {int64_t{0}, row.x.numel() / 2, row.x.numel() - 1}) {
    for (const uint32_t bits : payloads) {
      for (const bool tape : {false, true}) {
        Tensor x = with_nan(row.x, at, bits);
        x.set_requires_grad(tape);
        const std::vector<float> y = row.op(x).to_floats();
        for (size_t i = 0; i < y.size(); ++i) {
          const bool expected = static_cast<int64_t>(i) / row.out == at / row.in;
          ASSERT_EQ(std::isnan(y[i]), expected) << fmt::format("{}: NaN {:#x} at {}, element {} is {}, {} tape",
                                                               row.name, bits, at, i, y[i], tape ? "with" : "without");
        }
      }
    }
  }
}

class NotANumber : public testing::TestWithParam<std::tuple<DeviceKind, Precision>> {
 protected:
  void SetUp() override {
    on = testing_support::present(std::get<0>(GetParam()));
    if (!backend_of(on).supports(std::get<1>(GetParam()))) GTEST_SKIP() << "this processor does not multiply bf16";
  }
  void TearDown() override { on = Device::host(); }
  const ops::PrecisionScope precision_{std::get<1>(GetParam())};
};

TEST_P(NotANumber, IsNeverSwallowedByAnElementwiseOp) {
  for (const Row& row : elementwise_rows()) expect_spread(row);
}

TEST_P(NotANumber, IsNeverSwallowedByAnOpOnRows) {
  for (const Row& row : row_rows()) expect_spread(row);
}

TEST_P(NotANumber, IsNeverSwallowedByAProduct) {
  for (const Row& row : product_rows()) expect_spread(row);
}

TEST_P(NotANumber, IsNeverSwallowedByAttention) {
  for (const Row& row : attention_rows()) expect_spread(row);
}

TEST_P(NotANumber, IsNeverSwallowedOnOlderProcessors) {
  if (on.kind != DeviceKind::cpu) GTEST_SKIP() << "a card has no older processors";
  const int64_t present = hwy::SupportedTargets();
  for (const int64_t tier : {HWY_SSE4, HWY_AVX2}) {
    if ((present & tier) == 0) continue;
    hwy::SetSupportedTargetsForTest(tier);
    for (const auto& rows : {elementwise_rows(), row_rows(), attention_rows()}) {
      for (const Row& row : rows) expect_spread(row);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

INSTANTIATE_TEST_SUITE_P(, NotANumber,
                         testing::Combine(testing_support::each_fast_backend(),
                                          testing::Values(Precision::f32, Precision::bf16)),
                         [](const auto& test) {
                           return testing_support::name_of(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) == Precision::bf16 ? "_bf16" : "_f32");
                         });

class NotANumberGradient : public testing_support::OnEachBackend {};

/// As torch.nn.functional.relu: the gradient goes through where x is no number.
TEST_P(NotANumberGradient, GoesThroughRelu) {
  Tensor x = Tensor::from_host(std::vector<double>{0.5, std::nan(""), 0.25}, {3}, DType::f32, device());
  x.set_requires_grad(true);
  autograd::backward(ops::relu(x), Tensor::from_host(std::vector<double>{2, 3, 4}, {3}, DType::f32, device()));
  EXPECT_EQ(x.grad().to_doubles(), (std::vector<double>{2, 3, 4}));
}

INSTANTIATE_TEST_SUITE_P(, NotANumberGradient, testing_support::each_fast_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
