#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace astroclip::testing_support {

/// A path for this test process alone.
inline std::string scratch(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / ("astroclip_" + std::to_string(getpid()) + "_" + name)).string();
}

}  // namespace astroclip::testing_support
