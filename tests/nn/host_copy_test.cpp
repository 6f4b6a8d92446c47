#include "nn/host_copy.h"

#include <gmock/gmock.h>

namespace astroclip::nn {
namespace {

using testing::ElementsAre;

TEST(HostCopy, FollowsWhoeverWritesTheBuffer) {
  Tensor buffer = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f32, Device::host());
  HostCopy copy;
  EXPECT_THAT(copy.of(buffer), ElementsAre(1, 2));
  buffer.copy_from(Tensor::from_host(std::vector<double>{3, 4}, {2}, DType::f32, Device::host()));
  EXPECT_THAT(copy.of(buffer), ElementsAre(3, 4));
  buffer.share(Tensor::from_host(std::vector<double>{5, 6}, {2}, DType::f32, Device::host()));
  EXPECT_THAT(copy.of(buffer), ElementsAre(5, 6));
}

TEST(HostCopy, RoundsAsTheBuffer) {
  Tensor buffer = Tensor::zeros({1}, DType::f32, Device::host());
  HostCopy copy;
  copy.write(buffer, {0.1});
  EXPECT_EQ(copy.of(buffer)[0], 0.1F);
  EXPECT_EQ(buffer.item(), 0.1F);
}

}  // namespace
}  // namespace astroclip::nn
