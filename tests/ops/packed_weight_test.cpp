// Packed forms of weights that share a storage: one never stands for another.
#include <gtest/gtest.h>

#include <array>

#include "autograd/tape.h"
#include "base/rng.h"
#include "ops/ops.h"
#include "support/devices.h"

namespace astroclip::ops {
namespace {

constexpr Device on_cpu{DeviceKind::cpu};
constexpr int64_t many_rows = 64;  // enough for packing to pay

Tensor random(const Shape& shape, uint64_t stream) {
  Rng rng(33, RngStream::tests, stream);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = rng.uniform(-1.0, 1.0);
  return Tensor::from_host(values, shape, DType::f32, on_cpu);
}

/// x Wᵀ and the gradient of x, both of which pack the weight.
void expect_right(const Tensor& weight, const std::string& name) {
  const auto run = [&](const Tensor& w) {
    Tensor x = random({many_rows, w.size(1)}, 1);
    x.set_requires_grad(true);
    const Tensor y = linear(x, w, {});
    autograd::backward(y, random(y.shape(), 2));
    return std::pair{y.to_doubles(), x.grad().to_doubles()};
  };
  const auto found = run(weight), expected = run(weight.clone());
  const auto expect_near = [&](const std::vector<double>& a, const std::vector<double>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4) << name;
  };
  expect_near(found.first, expected.first);
  expect_near(found.second, expected.second);
}

/// The weights that stand in one storage [128, 96], each by itself right.
std::vector<std::pair<std::string, Tensor>> sharing(const Tensor& whole) {
  return {{"the whole", whole},
          {"its first rows", whole.view_rows(0, 32)},
          {"later rows", whole.view_rows(32, 96)},
          {"another shape", whole.view_as({96, 128})},
          {"first rows of another shape", whole.view_as({96, 128}).view_rows(0, 24)},
          {"a square", whole.view_rows(0, 96)}};
}

TEST(PackedWeight, IsOfItsOwnShapeAndPlaceInEveryOrder) {
  const size_t count = sharing(random({128, 96}, 3)).size();
  for (size_t first = 0; first < count; ++first) {
    for (size_t second = 0; second < count; ++second) {
      const auto weights = sharing(random({128, 96}, 3));
      expect_right(weights[first].second, weights[first].first);
      expect_right(weights[second].second, weights[second].first + " after " + weights[first].first);
      expect_right(weights[first].second, weights[first].first + " again");
    }
  }
}

TEST(PackedWeight, FollowsWhatIsWrittenThroughAView) {
  const Tensor whole = random({128, 96}, 3);
  Tensor part = whole.view_rows(32, 64);
  expect_right(whole, "before");
  part.copy_from(random({32, 96}, 4));
  expect_right(whole, "after");
}

using ScaledWeight = testing_support::OnEachBackend;

/// A product by a scaled weight is kept where no gradient is recorded: each of its parts may change.
TEST_P(ScaledWeight, FollowsWhatIsWritten) {
  const autograd::NoGrad no_grad;
  const auto on = [](Device where, const Shape& shape, uint64_t stream) {
    return Tensor::from_host(random(shape, stream).to_doubles(), shape, backend_of(where).compute_dtype(), where);
  };
  const auto make = [&](Device where) {
    return std::array{on(where, {many_rows, 24}, 1), on(where, {16, 24}, 2), on(where, {16}, 3), on(where, {16}, 4)};
  };
  auto found = make(device()), expected = make(Device::reference());
  const auto expect_equal = [&](const char* when) {
    const auto run = [](const std::array<Tensor, 4>& of) {
      return linear(of[0], of[1], of[2], {.scale = of[3]}).to_doubles();
    };
    const auto right = run(expected);
    for (int use = 0; use < 3; ++use) {
      const auto left = run(found);
      for (size_t i = 0; i < left.size(); ++i) ASSERT_NEAR(left[i], right[i], 1e-5) << when << ", use " << use;
    }
  };
  expect_equal("as made");
  for (size_t part = 1; part < 4; ++part) {
    found[part].copy_from(on(device(), found[part].shape(), 10 + part));
    expected[part].copy_from(on(Device::reference(), expected[part].shape(), 10 + part));
    expect_equal("after a part was written");
  }
  found[3] = on(device(), {16}, 20);
  expected[3] = on(Device::reference(), {16}, 20);
  expect_equal("by another scale");
}

INSTANTIATE_TEST_SUITE_P(, ScaledWeight, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::ops
