#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "backend/backend.h"
#include "base/error.h"

namespace astroclip::testing_support {

inline constexpr Device cpu{DeviceKind::cpu};
inline constexpr Device reference{DeviceKind::reference};

inline std::string name_of(DeviceKind kind) {
  constexpr const char* names[] = {"reference", "cpu", "cuda"};
  return names[static_cast<size_t>(kind)];
}

inline void skip(const std::string& reason) { GTEST_SKIP() << reason; }

/// The device of a kind. Where there is none, the running test is skipped, and its fixture is made on the reference.
inline Device present(DeviceKind kind) {
  try {
    return device_named(name_of(kind));
  } catch (const Error& error) {
    const std::vector<std::string> names = device_names();
    if (std::ranges::find(names, name_of(kind)) != names.end()) throw;
    skip(error.what());
    return reference;
  }
}

/// A test on each backend, whose name ends in the backend's.
class OnEachBackend : public testing::TestWithParam<DeviceKind> {
 protected:
  Device device() const { return device_; }

 private:
  Device device_ = present(GetParam());
};

inline auto each_backend() { return testing::Values(DeviceKind::reference, DeviceKind::cpu, DeviceKind::cuda); }
/// Those that compute in float32.
inline auto each_fast_backend() { return testing::Values(DeviceKind::cpu, DeviceKind::cuda); }
inline std::string backend_name(const testing::TestParamInfo<DeviceKind>& info) { return name_of(info.param); }

}  // namespace astroclip::testing_support
