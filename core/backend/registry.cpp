#include <fmt/format.h>

#include <array>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "base/error.h"

namespace astroclip {

namespace {

using Backends = std::array<std::shared_ptr<Backend>, 3>;

Backends& backends() {
  // Never destroyed, like the memory behind it: tensors may outlive static destruction.
  static auto* all = new Backends{make_reference_backend(), make_cpu_backend(), nullptr};
  return *all;
}

}  // namespace

Backend& backend_of(Device device) {
  const auto& backend = backends()[static_cast<size_t>(device.kind)];
  if (!backend) throw Error(fmt::format("[backend] no backend for device '{}' is loaded", device.str()));
  return *backend;
}

void register_backend(DeviceKind kind, std::shared_ptr<Backend> backend) {
  backends()[static_cast<size_t>(kind)] = std::move(backend);
}

}  // namespace astroclip
