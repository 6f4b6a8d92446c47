#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "backend/call.h"
#include "base/threads.h"
#include "support/devices.h"

namespace astroclip::test {
namespace {

Backend& cpu() { return backend_of(Device::host()); }

class Determinism : public testing_support::OnEachBackend {};

TEST_P(Determinism, TheSameCallTwiceIsBitwiseEqual) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (!backend_of(device()).supports(precision)) continue;
    for (const Case& row : all_cases()) {
      if (precision == Precision::bf16 && !row.takes_bf16) continue;
      Call first(device(), precision), second(device(), precision);
      row.body(first);
      row.body(second);
      EXPECT_EQ(first.bytes(), second.bytes()) << row.kernel << " " << row.label;
    }
  }
}

TEST(Threads, DoNotChangeProducts) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (!cpu().supports(precision)) continue;
    std::vector<std::vector<std::byte>> first;
    for (const int threads : {1, 3}) {
      set_compute_threads(threads);
      size_t i = 0;
      for (const Case& row : product_cases()) {
        if (precision == Precision::bf16 && !row.takes_bf16) continue;
        Call call(Device::host(), precision);
        row.body(call);
        if (threads == 1) {
          first.push_back(call.bytes());
        } else {
          EXPECT_EQ(call.bytes(), first[i++]) << row.kernel << " " << row.label;
        }
      }
    }
    set_compute_threads(0);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Determinism, testing_support::each_fast_backend(), testing_support::backend_name);

/// The first `part` of an array and of a call on all of it.
void expect_same_start(const View& few, const View& many) {
  EXPECT_EQ(std::memcmp(few.data, many.data, static_cast<size_t>(few.numel() * size_of(few.dtype))), 0);
}

class RowsTest : public testing::TestWithParam<int64_t> {};

TEST_P(RowsTest, LinearDoesNotDependOnTheBatch) {
  if (!__builtin_cpu_supports("avx512f")) GTEST_SKIP() << "oneDNN's AVX2 products choose kernels by the rows";
  const int64_t few = GetParam(), many = 389, in = 96, out = 130;
  Call call(Device::host(), Precision::f32);
  const ConstView x = call.random({many, in}), weight = call.random({out, in}), bias = call.random({out});
  const auto packed = cpu().prepare(weight, WeightUse::forward, Precision::f32, many);
  for (const Prepared* form : std::array<const Prepared*, 2>{packed.get(), nullptr}) {
    LinearArguments a;
    a.weight = weight;
    a.packed = form;
    a.bias = bias;
    a.activation = Activation::gelu;
    View y[2];
    for (const int64_t rows : {few, many}) {
      a.x = ConstView(x.data, {rows, in}, DType::f32);
      a.y = y[rows == many] = call.output("y", {rows, out});
      cpu().linear(a);
    }
    expect_same_start(y[0], y[1]);
  }
}

TEST_P(RowsTest, AttentionDoesNotDependOnTheBatch) {
  const int64_t few = GetParam() % 3 + 1, many = 5, tokens = 45, heads = 2, width = 16, dim = heads * width;
  Call call(Device::host(), Precision::f32);
  const ConstView x = call.random({many, tokens, dim});
  const HeadsView operand{x.data, tokens, tokens * dim, dim};
  View y[2];
  for (const int64_t batch : {few, many}) {
    AttentionArguments a;
    a.batch = batch;
    a.heads = heads;
    a.width = width;
    a.scale = 0.25;
    a.q = a.k = a.v = operand;
    y[batch == many] = call.output("y", {batch, tokens, dim});
    a.y = {y[batch == many].data, tokens, tokens * dim, dim};
    cpu().attention(a);
  }
  expect_same_start(y[0], y[1]);
}

INSTANTIATE_TEST_SUITE_P(Rows, RowsTest, testing::Values(1, 3, 17, 131), testing::PrintToStringParamName());

class RowKernels : public testing_support::OnEachBackend {};

TEST_P(RowKernels, DoNotDependOnTheBatch) {
  const int64_t many = 700, width = 131;
  for (const int64_t few : {1, 3, 17, 131}) {
    Call call(device(), Precision::f32);
    const ConstView x = call.random({many, width}), weight = call.random({width}), bias = call.random({width});
    for (const int64_t rows : {few, many}) {
      const ConstView part(x.data, {rows, width}, DType::f32);
      call.backend.layer_norm({part, weight, bias, 1e-5, call.output("norm", {rows, width}), {}, {}});
      call.backend.softmax(part, {}, 1.0, call.output("soft", {rows, width}));
      call.backend.unary(UnaryOp::gelu, part, call.output("curve", {rows, width}));
    }
    const std::vector<Call::Output> found = call.outputs();
    for (size_t kernel = 0; kernel < 3; ++kernel) {
      const std::vector<double>&start = found[kernel].values, &all = found[kernel + 3].values;
      EXPECT_TRUE(std::equal(start.begin(), start.end(), all.begin())) << found[kernel].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, RowKernels, testing_support::each_fast_backend(), testing_support::backend_name);

class Linear : public testing_support::OnEachBackend {};

TEST_P(Linear, TheResidualMayBeTheResult) {
  for (const Activation activation : {Activation::none, Activation::gelu, Activation::relu}) {
    Call call(device(), Precision::f32);
    LinearArguments a;
    a.x = call.random({37, 20});
    a.weight = call.random({33, 20});
    a.activation = activation;
    a.y = call.in_place("onto", {37, 33});
    a.residual = a.y;
    const std::vector<double> residual = call.outputs()[0].values;
    call.backend.linear(a);
    a.residual = call.values(residual, {37, 33});
    a.y = call.output("apart", {37, 33});
    call.backend.linear(a);
    const std::vector<Call::Output> found = call.outputs();
    for (size_t i = 0; i < residual.size(); ++i) EXPECT_NEAR(found[0].values[i], found[1].values[i], 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Linear, testing_support::each_fast_backend(), testing_support::backend_name);

/// Attention of `tokens` queries to as many keys, one head; query i and key i have `sharpness` in place i and zeros
/// else, except that query 2 has `odd` in place 0.
std::vector<double> pick_keys(Call& call, int64_t tokens, double sharpness, double odd, const ConstView& v) {
  std::vector<double> k(static_cast<size_t>(tokens * tokens));
  for (int64_t i = 0; i < tokens; ++i) k[static_cast<size_t>(i * tokens + i)] = sharpness;
  std::vector<double> q = k;
  q[static_cast<size_t>(2 * tokens)] = odd;
  AttentionArguments a;
  a.precision = call.precision;
  a.batch = a.heads = 1;
  a.width = tokens;
  const auto view = [&](const ConstView& x) { return HeadsView{x.data, tokens, tokens * tokens, tokens}; };
  a.q = view(call.values(q, {tokens, tokens}));
  a.k = view(call.values(k, {tokens, tokens}));
  a.v = view(v);
  const View y = call.output("y", {tokens, tokens});
  a.y = {y.data, tokens, tokens * tokens, tokens};
  call.backend.attention(a);
  return call.outputs().back().values;
}

class SharpAttention : public testing::TestWithParam<std::tuple<DeviceKind, int64_t, Precision>> {
 protected:
  int64_t tokens = std::get<1>(GetParam());
  Precision precision = std::get<2>(GetParam());
  Device device;
  void SetUp() override {
    device = testing_support::present(std::get<0>(GetParam()));
    if (!backend_of(device).supports(precision)) GTEST_SKIP() << "this processor does not multiply bf16";
  }
};

TEST_P(SharpAttention, ToOneKeyGivesItsValueExactly) {
  Call call(device, precision);
  std::vector<double> numbers;
  for (int64_t i = 0; i < tokens * tokens; ++i) numbers.push_back(static_cast<double>(i % 7 - 3));
  EXPECT_EQ(pick_keys(call, tokens, 20.0, 0.0, call.values(numbers, {tokens, tokens})), numbers);
}

TEST_P(SharpAttention, OfAQueryThatIsNoNumberSpoilsItsOwnRowAlone) {
  Call call(device, precision);
  const std::vector<double> y = pick_keys(call, tokens, 1.0, std::nan(""), call.random({tokens, tokens}));
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), static_cast<int64_t>(i) / tokens == 2) << i;
}

/// Where scores are this low, exp(−log Σ exp) overflows: a kernel that pads keys must not weigh them so.
TEST_P(SharpAttention, ToKeysThatAllLieFarAwayHasFiniteGradients) {
  Call call(device, precision);
  const auto input = [&](double low, double high) {
    return HeadsView{call.random({tokens, tokens}, low, high).data, tokens, tokens * tokens, tokens};
  };
  const auto output = [&](const char* name) {
    return MutableHeadsView{call.output(name, {tokens, tokens}).data, tokens, tokens * tokens, tokens};
  };
  AttentionArguments a;
  a.precision = precision;
  a.batch = a.heads = 1;
  a.width = tokens;
  a.q = input(7.0, 8.0);
  a.k = input(-8.0, -7.0);
  a.v = input(-2.0, 2.0);
  a.y = output("y");
  a.log_sum_exp = call.output("log sum exp", {1, 1, tokens});
  call.backend.attention(a);
  AttentionBackwardArguments b;
  b.precision = precision;
  b.batch = b.heads = 1;
  b.width = tokens;
  b.q = a.q;
  b.k = a.k;
  b.v = a.v;
  b.y = {a.y.data, tokens, tokens * tokens, tokens};
  b.dy = input(-2.0, 2.0);
  b.log_sum_exp = a.log_sum_exp;
  b.dq = output("dq");
  b.dk = output("dk");
  b.dv = output("dv");
  call.backend.attention_backward(b);
  for (const Call::Output& found : call.outputs()) {
    for (const double value : found.values) ASSERT_TRUE(std::isfinite(value)) << found.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, SharpAttention,
                         testing::Combine(testing_support::each_fast_backend(), testing::Values(5, 9, 33, 47),
                                          testing::Values(Precision::f32, Precision::bf16)),
                         [](const auto& test) {
                           return testing_support::name_of(std::get<0>(test.param)) + "_" +
                                  std::to_string(std::get<1>(test.param)) +
                                  (std::get<2>(test.param) == Precision::bf16 ? "_bf16" : "_f32");
                         });

TEST(Errors, AnotherDtypeIsNamed) {
  Call call(Device::host(), Precision::f32);
  const View x = call.output("x", {3}, DType::f64);
  try {
    cpu().softmax(x, {}, 1.0, x);
    FAIL() << "took float64";
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "[cpu] softmax takes f32, not f64");
  }
}

}  // namespace
}  // namespace astroclip::test
