// What ops say of operands that do not fit: the op, what it expects and what it found.
#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/ops.h"

namespace astroclip::ops {
namespace {

Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = {DeviceKind::cpu}) {
  return Tensor::zeros(shape, dtype, device);
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    (void)call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(OpErrors, NameTheShapes) {
  EXPECT_EQ(message_of([] { return add(zeros({2, 3}), zeros({2, 4})); }), "[add] cannot broadcast [2, 3] with [2, 4]");
  EXPECT_EQ(message_of([] {
              return matmul(zeros({2, 3}), zeros({2, 3}));
            }),
            "[matmul] cannot multiply [2, 3] with [2, 3]");
  EXPECT_EQ(
      message_of([] {
        return matmul(zeros({2, 6, 5}), zeros({1, 5}), false, true);
      }),
      "[matmul] cannot multiply [2, 6, 5] with [1, 5]ᵀ: both need two axes or more, and all but the last two must be "
      "equal");
  EXPECT_EQ(message_of([] {
              return linear(zeros({2, 3}), zeros({5, 4}), {});
            }),
            "[linear] x [..., in] and weight [out, in] must agree, found [2, 3] and [5, 4]");
  EXPECT_EQ(message_of([] {
              return linear(zeros({2, 3}), zeros({5, 3}), zeros({4}));
            }),
            "[linear] bias must be [5], found [4]");
  EXPECT_EQ(message_of([] {
              return linear(zeros({2, 3}), zeros({5, 3}), {}, {Activation::none, zeros({2, 3})});
            }),
            "[linear] the residual must be [2, 5], found [2, 3]");
  EXPECT_EQ(message_of([] {
              return layer_norm(zeros({2, 3}), zeros({3}), zeros({2}), 1e-6);
            }),
            "[layer_norm] weight and bias must be [3], found [3] and [2]");
  EXPECT_EQ(message_of([] {
              return self_attention(zeros({1, 4, 10}), 2);
            }),
            "[self_attention] qkv must be [batch, tokens, 3 · heads · width] for 2 heads, found [1, 4, 10]");
  EXPECT_EQ(message_of([] {
              return attention_pool(zeros({1, 4, 10}), zeros({2, 9}));
            }),
            "[attention_pool] needs tokens [batch, tokens, width] and queries [heads, width], found [1, 4, 10] and "
            "[2, 9]");
  EXPECT_EQ(
      message_of([] {
        return convolution(zeros({2, 5, 5, 3}), zeros({4, 2, 3, 3}), {});
      }),
      "[convolution] x [batch, height, width, in] and weight [out, in, height, width] must agree, found [2, 5, 5, "
      "3] and [4, 2, 3, 3]");
  EXPECT_EQ(message_of([] {
              return convolution(zeros({2, 5, 2, 3}), zeros({4, 3, 3, 3}), {});
            }),
            "[convolution] windows of 3 positions, 1 apart, do not lie on an axis of 2 with 0 beyond each end");
  EXPECT_EQ(message_of([] {
              return max_pool(zeros({2, 5, 5, 3}), {{2, 3}, {1, 1}, {0, 2}});
            }),
            "[max_pool] at most half a window of 3 may lie beyond the border, found a padding of 2");
  EXPECT_EQ(message_of([] {
              return batch_norm(zeros({5, 3}), zeros({3}), zeros({2}), 1e-5);
            }),
            "[batch_norm] x [..., channels], weight and bias [channels] must agree, found [5, 3], [3] and [2]");
  EXPECT_EQ(message_of([] { return reshape(zeros({2, 3}), {7}); }), "[reshape] cannot view [2, 3] as [7]");
  EXPECT_EQ(message_of([] { return sum(zeros({2, 3}), {2}); }), "[sum] [2, 3] has no axis 2");
  EXPECT_EQ(message_of([] {
              return broadcast_to(zeros({2, 3}), {3, 2});
            }),
            "[broadcast_to] [2, 3] does not broadcast to [3, 2]");
  EXPECT_EQ(message_of([] {
              return narrow(zeros({2, 3}), 1, 2, 2);
            }),
            "[narrow] entries 2 to 4 do not lie on axis 1 of [2, 3]");
}

TEST(OpErrors, NameTheDtypes) {
  EXPECT_EQ(message_of([] { return exp(zeros({2}, DType::f64)); }), "[exp] backend 'cpu' computes in f32, found f64");
  EXPECT_EQ(message_of([] {
              return cross_entropy(zeros({2, 3}), zeros({2}));
            }),
            "[cross_entropy] needs logits [rows, classes] and i64 targets [rows], found [2, 3] and f32 [2]");
}

TEST(OpErrors, NameTheDevices) {
  const Tensor there = zeros({2}, DType::f64, {DeviceKind::reference});
  EXPECT_EQ(message_of([&] { return multiply(zeros({2}), there); }),
            "[multiply] operands must be on one device, found cpu and reference");
}

TEST(OpErrors, NameAnIndexOutOfRange) {
  const std::vector<int64_t> rows = {0, 5};
  const Tensor index = Tensor::from_host(std::span<const int64_t>(rows), {2}, {DeviceKind::cpu});
  EXPECT_EQ(message_of([&] {
              return gather_rows(zeros({4, 2}), index);
            }),
            "[gather_rows] index 5 lies outside the 4 rows of [4, 2]");
  EXPECT_EQ(message_of([&] {
              return add_rows(zeros({4, 2}), zeros({2, 2}), {.index = index, .scale = {}});
            }),
            "[add_rows] index 5 lies outside the 4 rows of [4, 2]");
  const std::vector<int64_t> inside = {0, 3};
  EXPECT_EQ(message_of([&] {
              const Tensor two = Tensor::from_host(std::span<const int64_t>(inside), {2}, {DeviceKind::cpu});
              return add_rows(zeros({4, 2}), zeros({3, 2}), {.index = two, .scale = {}});
            }),
            "[add_rows] expected rows [2, 2], found [3, 2]");
  EXPECT_EQ(message_of([&] {
              return soft_cross_entropy(zeros({2, 3}), zeros({4, 3}), index.view_as({2, 1}), 0.1);
            }),
            "[soft_cross_entropy] index 5 lies outside the 4 rows of [4, 3]");
}

TEST(OpErrors, NameARateThatIsNone) {
  EXPECT_EQ(message_of([] { return dropout(zeros({2}), 1.0, 1); }), "[dropout] the rate must lie in [0, 1), found 1");
}

}  // namespace
}  // namespace astroclip::ops
