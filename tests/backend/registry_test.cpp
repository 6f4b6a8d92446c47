#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "backend/backend.h"
#include "base/error.h"

namespace astroclip::test {
namespace {

TEST(Registry, NamesTheDevicesThatThereAreTheFastestFirst) {
  EXPECT_THAT(device_names(), testing::AnyOf(testing::ElementsAre("cpu", "reference"),
                                             testing::ElementsAre("cuda", "cpu", "reference")));
  for (const std::string& name : device_names()) {
    EXPECT_THAT(device_named(name).str(), testing::StartsWith(name));
    EXPECT_EQ(backend_of(device_named(name)).name(), name);
  }
  EXPECT_EQ(device_named("auto"), device_named(device_names().front()));
  EXPECT_EQ(backend_of(Device::reference()).compute_dtype(), DType::f64);
}

TEST(Registry, LoadsNoLibrariesOfCudaWhereNoCardIs) {
  if (device_names().front() == "cuda") GTEST_SKIP() << "there is a card";
  std::ifstream maps("/proc/self/maps");
  const std::string loaded((std::istreambuf_iterator<char>(maps)), std::istreambuf_iterator<char>());
  EXPECT_THAT(loaded, testing::HasSubstr("libastroclip"));
  EXPECT_THAT(loaded, testing::Not(testing::HasSubstr("libcublasLt")));
}

TEST(Registry, SaysWhichDevicesThereAre) {
  EXPECT_THAT([] { device_named("tpu"); },
              testing::ThrowsMessage<Error>(
                  "[backend] there is no device 'tpu'; expected auto, cuda, cuda:N (card N), cpu or reference"));
}

}  // namespace
}  // namespace astroclip::test
