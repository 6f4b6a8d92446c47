// Packed forms of weights that share a storage: one never stands for another.
#include <gtest/gtest.h>

#include "autograd/tape.h"
#include "base/rng.h"
#include "ops/ops.h"

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

}  // namespace
}  // namespace astroclip::ops
