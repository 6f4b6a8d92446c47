#include <fmt/format.h>

#include <array>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "base/error.h"

namespace astroclip {

namespace {

/// By DeviceKind, the fastest last.
using Backends = std::array<std::shared_ptr<Backend>, 3>;

Backends& backends() {
  // Never destroyed, like the memory behind it: tensors may outlive static destruction.
  static auto* all =
      new Backends{std::make_shared<reference::ReferenceBackend>(), std::make_shared<cpu::CpuBackend>(), nullptr};
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

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (size_t kind = backends().size(); kind-- > 0;) {
    if (backends()[kind]) names.emplace_back(backends()[kind]->name());
  }
  return names;
}

Device device_named(const std::string& name) {
  for (size_t kind = backends().size(); kind-- > 0;) {
    const auto& backend = backends()[kind];
    if (backend && (name == "auto" || name == backend->name())) return {static_cast<DeviceKind>(kind)};
  }
  std::string all;
  for (const std::string& one : device_names()) all += (all.empty() ? "" : ", ") + one;
  throw Error(fmt::format("[backend] there is no device '{}'; there are {}", name, all));
}

}  // namespace astroclip
