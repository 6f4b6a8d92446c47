#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cuda/record.h"
#include "backend/devices.h"
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

/// cuda.so, or why there is none.
struct CudaLibrary {
  const cuda::Record* record = nullptr;
  std::string problem;
};

/// In a folder beside the plugins', unless ASTROCLIP_CUDA names another build.
std::string cuda_path() {
  if (const char* named = std::getenv("ASTROCLIP_CUDA")) return named;
  Dl_info here;
  if (dladdr(reinterpret_cast<const void*>(&cuda_path), &here) == 0) return "cuda.so";
  return std::filesystem::weakly_canonical(here.dli_fname).parent_path() / "astroclip" / "backends" / "cuda.so";
}

CudaLibrary load_cuda() {
  const std::string path = cuda_path();
  if (!std::filesystem::exists(path)) return {nullptr, "this build has no CUDA backend: nvcc or cuDNN was missing"};
  // Without a driver no card can be used, and CUDA's libraries, which take a tenth of a second to load, are left alone.
  // An emulated card has none.
  if (std::getenv("ASTROCLIP_CUDA") == nullptr && dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    return {nullptr, "no NVIDIA driver is loaded"};
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return {nullptr, dlerror()};
  const auto* record = static_cast<const cuda::Record*>(dlsym(library, cuda::record_symbol));
  if (record == nullptr || record->magic != cuda::record_magic) return {nullptr, path + " is not the CUDA backend"};
  if (std::string_view(record->contract) != ASTROCLIP_CONTRACT) {
    return {nullptr, path + " was built with another version of astroclip"};
  }
  return {record, ""};
}

const CudaLibrary& cuda_library() {
  static const CudaLibrary library = load_cuda();
  return library;
}

/// Why the card of that index cannot be used; "" if it can.
std::string objection_to_card(int index) {
  const CudaLibrary& library = cuda_library();
  return library.record == nullptr ? library.problem : library.record->objection(index);
}

/// The index in "cuda" or "cuda:1".
std::optional<int> card_index(std::string_view name) {
  if (!name.starts_with("cuda")) return std::nullopt;
  name.remove_prefix(4);
  if (name.empty()) return 0;
  int index = 0;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), index);
  if (name[0] != ':' || error != std::errc() || end != name.data() + name.size() || index < 0) return std::nullopt;
  return index;
}

Device open_card(int index) {
  static std::mutex mutex;
  static std::optional<int> open;
  const std::lock_guard lock(mutex);
  if (open != index) {
    const std::string problem = objection_to_card(index);
    if (!problem.empty()) throw Error(fmt::format("[backend] the device 'cuda:{}' cannot be used: {}", index, problem));
    cuda_library().record->open(index);
    open = index;
  }
  return {DeviceKind::cuda, index};
}

Device fastest_device() {
  static const Device fastest = objection_to_card(0).empty() ? open_card(0) : Device::host();
  return fastest;
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

bool is_device_name(const std::string& name) {
  return name == "auto" || name == "cpu" || name == "reference" || card_index(name);
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  if (objection_to_card(0).empty()) names.emplace_back("cuda");
  names.emplace_back("cpu");
  names.emplace_back("reference");
  return names;
}

Device device_named(const std::string& name) {
  if (name == "cpu") return Device::host();
  if (name == "reference") return Device::reference();
  if (const std::optional<int> index = card_index(name)) return open_card(*index);
  if (name == "auto") return fastest_device();
  throw Error(fmt::format("[backend] there is no device '{}'; expected {}", name, device_name_forms));
}

std::string device_description(Device device) {
  if (device.kind != DeviceKind::cuda) return "";
  static const std::string card = cuda_library().record->describe();
  return card;
}

std::string device_problem(const std::string& name) {
  const std::optional<int> index = card_index(name);
  return index ? objection_to_card(*index) : "";
}

std::string card_text() {
  const std::string problem = objection_to_card(0);
  return problem.empty() ? device_description(device_named("cuda")) : "none: " + problem;
}

std::string device_text(Device device) {
  const std::string description = device_description(device);
  return description.empty() ? device.str() : fmt::format("{} ({})", device.str(), description);
}

std::optional<int64_t> available_memory(Device device) {
  if (is_host_memory(device)) return std::nullopt;
  const MemoryStatistics statistics = memory_of(device).statistics();
  return cuda_library().record->free_bytes() + statistics.reserved_bytes - statistics.used_bytes;
}

}  // namespace astroclip
