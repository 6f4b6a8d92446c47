#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/error.h"

namespace astroclip::test {
namespace {

TEST(Registry, NamesTheDevicesThatThereAreTheFastestFirst) {
  EXPECT_THAT(device_names(), testing::ElementsAre("cpu", "reference"));
  for (const std::string& name : device_names()) {
    EXPECT_EQ(device_named(name).str(), name);
    EXPECT_EQ(backend_of(device_named(name)).name(), name);
  }
  EXPECT_EQ(device_named("auto"), Device::host());
  EXPECT_EQ(backend_of(Device::reference()).compute_dtype(), DType::f64);
}

TEST(Registry, SaysWhichDevicesThereAre) {
  EXPECT_THAT([] { device_named("tpu"); },
              testing::ThrowsMessage<Error>("[backend] there is no device 'tpu'; there are cpu, reference"));
}

}  // namespace
}  // namespace astroclip::test
