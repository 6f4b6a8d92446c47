#include "backend/readback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace astroclip::test {
namespace {

class Readbacks : public testing::TestWithParam<std::string> {
 protected:
  Device device() const { return device_named(GetParam()); }
};

TEST_P(Readbacks, GiveTheNumbersOfAllTensorsAsTheyWereWhenQueued) {
  Tensor first = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f32, device());
  const Tensor second = Tensor::from_host(std::vector<double>{0.1}, {}, DType::f64, device());
  Tensor third = Tensor::empty({2}, DType::bf16, device());
  backend_of(device()).cast(first, third);
  const Readback readback({first, second, third});
  backend_of(device()).fill(first, 7.0);
  EXPECT_THAT(readback.doubles(), testing::ElementsAre(1.0, 2.0, 0.1, 1.0, 2.0));
  EXPECT_THAT(readback.floats(), testing::ElementsAre(1.0F, 2.0F, 0.1F, 1.0F, 2.0F));
}

TEST_P(Readbacks, RefuseIntegers) {
  const Tensor index = Tensor::from_host(std::vector<int64_t>{1}, {1}, device());
  EXPECT_THAT([&] { Readback({index}); },
              testing::ThrowsMessage<Error>("[readback] expected f32, f64 or bf16, found i64"));
}

INSTANTIATE_TEST_SUITE_P(Devices, Readbacks, testing::ValuesIn(device_names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace astroclip::test
