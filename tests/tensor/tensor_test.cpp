#include "tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "support/devices.h"

namespace astroclip {
namespace {

using testing::ElementsAre;
using testing::StartsWith;
using testing::ThrowsMessage;

using testing_support::cpu;

TEST(Shape, KnowsItsExtents) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.numel(), 24);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.with(-2, 5), (Shape{2, 5, 4}));
  EXPECT_EQ(shape.str(), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.numel(), 1);
}

TEST(Shape, RefusesWhatItCannotHold) {
  EXPECT_THAT([] { (void)Shape({1, 2})[2]; }, ThrowsMessage<Error>("[shape] [1, 2] has no axis 2"));
  EXPECT_THAT([] { Shape({1, -2}); }, ThrowsMessage<Error>("[shape] negative extent in [1, -2]"));
  EXPECT_THAT(
      [] {
        Shape({1, 1, 1, 1, 1, 1, 1});
      },
      ThrowsMessage<Error>("[shape] at most 6 axes are supported, found 7"));
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(BFloat16(1.0F).bits, 0x3F80);
  EXPECT_EQ(BFloat16(1.00390625F).bits, 0x3F80);  // halfway between 0x3F80 and 0x3F81: to the even one
  EXPECT_EQ(BFloat16(1.01171875F).bits, 0x3F82);  // halfway between 0x3F81 and 0x3F82
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Tensor, ConvertsHostValues) {
  const std::vector<double> values = {1.5, -2.0, 0.25};
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    EXPECT_THAT(Tensor::from_host(values, {3}, dtype, cpu).to_doubles(), ElementsAre(1.5, -2.0, 0.25));
  }
  EXPECT_THAT([&] { Tensor::from_host(values, {2}, DType::f32, cpu); },
              ThrowsMessage<Error>("[tensor] shape [2] needs 2 values, found 3"));
}

TEST(Tensor, ViewsShareStorageAndClonesDoNot) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  Tensor tensor = Tensor::from_host(values, {3, 2}, DType::f32, cpu);
  Tensor row = tensor.view_rows(1, 2);
  Tensor copy = tensor.clone();
  row.mutable_data_as<float>()[0] = 9;
  EXPECT_THAT(tensor.to_floats(), ElementsAre(0, 1, 9, 3, 4, 5));
  EXPECT_THAT(copy.to_floats(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(tensor.view_as({6}).shape(), Shape{6});
  EXPECT_THAT([&] { tensor.view_as({5}); }, ThrowsMessage<Error>("[tensor] cannot view [3, 2] as [5]"));
  EXPECT_THAT([&] { tensor.view_rows(2, 4); }, ThrowsMessage<Error>("[tensor] rows 2 to 4 are outside [3, 2]"));
}

TEST(Tensor, WritingBumpsTheVersion) {
  Tensor tensor = Tensor::zeros({2}, DType::f32, cpu);
  const uint64_t before = tensor.storage()->version();
  (void)tensor.to_floats();
  EXPECT_EQ(tensor.storage()->version(), before);
  (void)tensor.mutable_data();
  EXPECT_GT(tensor.storage()->version(), before);
}

/// Numbers that belong to the test.
class Numbers final : public Backing {
 public:
  explicit Numbers(std::vector<float> values) : values_(std::move(values)) {}
  const std::byte* data() const { return reinterpret_cast<const std::byte*>(values_.data()); }
  void set_aside(const std::byte* data, int64_t bytes) const override {
    set_aside_ += data == this->data() ? bytes : 0;
  }
  mutable int64_t set_aside_ = 0;
  std::vector<float> values_;
};

TEST(Tensor, BackedElementsAreCopiedWhenTheyAreWritten) {
  const auto numbers = std::make_shared<Numbers>(std::vector<float>{1, 2, 3});
  Tensor tensor = Tensor::backed(numbers, numbers->data(), {3}, DType::f32, cpu);
  const Tensor view = tensor.view_rows(1, 3);
  EXPECT_EQ(tensor.data(), numbers->data());
  tensor.storage()->set_aside();
  EXPECT_EQ(numbers->set_aside_, 12);
  const uint64_t before = tensor.storage()->version();
  tensor.mutable_data_as<float>()[1] = 7;
  EXPECT_GT(tensor.storage()->version(), before);
  EXPECT_THAT(tensor.to_floats(), ElementsAre(1, 7, 3));
  EXPECT_THAT(view.to_floats(), ElementsAre(7, 3));
  EXPECT_THAT(numbers->values_, ElementsAre(1, 2, 3));
  EXPECT_EQ(numbers.use_count(), 1);
}

TEST(Tensor, SharingReachesEveryHandle) {
  Tensor tensor = Tensor::zeros({2}, DType::f32, cpu);
  const Tensor handle = tensor;
  const Tensor source = Tensor::from_host(std::vector<double>{4, 5}, {2}, DType::f32, cpu);
  tensor.share(source);
  EXPECT_EQ(handle.data(), source.data());
  EXPECT_THAT([&] { tensor.share(Tensor::zeros({3}, DType::f32, cpu)); },
              ThrowsMessage<Error>("[tensor] cannot copy f32 [3] into f32 [2]"));
}

TEST(Tensor, RefusesMisuse) {
  EXPECT_THAT([] { (void)Tensor().shape(); },
              ThrowsMessage<Error>(StartsWith("[tensor] an undefined tensor was used")));
  EXPECT_THAT([] { (void)Tensor::zeros({2}, DType::f32, cpu).data_as<double>(); },
              ThrowsMessage<Error>("[tensor] expected dtype f64, found f32"));
  EXPECT_THAT([] { (void)Tensor::zeros({2}, DType::f32, cpu).item(); },
              ThrowsMessage<Error>("[tensor] item() needs one element, found shape [2]"));
  EXPECT_THAT(
      [] {
        (void)Tensor::zeros({2}, DType::f32, {DeviceKind::cuda, 1});
      },
      ThrowsMessage<Error>("[memory] no backend for device 'cuda:1' is loaded"));
  const auto numbers = std::make_shared<Numbers>(std::vector<float>{1});
  EXPECT_THAT(
      [&] {
        Tensor::backed(numbers, numbers->data(), {1}, DType::f32, {DeviceKind::cuda, 1});
      },
      ThrowsMessage<Error>("[tensor] the host cannot use the memory of cuda:1; copy the tensor"));
}

TEST(Memory, AReleasedBlockServesTheNextRequestOfAboutItsSize) {
  const Memory& memory = memory_of(cpu);
  { const Tensor first = Tensor::empty({12345}, DType::f32, cpu); }
  const int64_t fresh = memory.statistics().fresh_allocations;
  for (int i = 0; i < 10; ++i) {
    const Tensor again = Tensor::empty({12345}, DType::f32, cpu);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(again.data()) % 64, 0U);
  }
  EXPECT_EQ(memory.statistics().fresh_allocations, fresh);
  { const Tensor smaller = Tensor::empty({12300}, DType::f32, cpu); }
  EXPECT_EQ(memory.statistics().fresh_allocations, fresh);
  const int64_t used = memory.statistics().used_bytes;
  const Tensor held = Tensor::empty({12345}, DType::f32, cpu);
  EXPECT_GE(memory.statistics().used_bytes, used + held.bytes());
}

}  // namespace
}  // namespace astroclip
