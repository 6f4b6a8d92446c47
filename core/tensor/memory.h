#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace astroclip {

enum class DeviceKind : uint8_t { reference, cpu, cuda };

/// The device that stores a tensor and the backend that computes on it. `reference` and `cpu` share the host's memory.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
  /// The host, by its fast backend.
  static constexpr Device host() { return {}; }
  /// The host, by the float64 backend that the others are compared with.
  static constexpr Device reference() { return {DeviceKind::reference}; }
  /// "cpu", "reference", "cuda:1"
  std::string str() const;
};

/// True when the host can read and write a device's memory itself.
inline bool is_host_memory(Device device) { return device.kind != DeviceKind::cuda; }

/// Counters of an allocator.
struct MemoryStatistics {
  int64_t fresh_allocations = 0;  ///< blocks taken from the system
  int64_t reserved_bytes = 0;     ///< bytes held from the system, in use or cached
  int64_t used_bytes = 0;         ///< bytes of live tensors
  int64_t peak_used_bytes = 0;
};

/// Caching allocator of a device: a released block serves the next request of about its size, so a training loop stops
/// allocating from the system after its first steps. Thread-safe.
class Memory {
 public:
  virtual ~Memory() = default;
  /// A block of at least `bytes` bytes, aligned to 64. Throws Error if the system has no memory.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* block, int64_t bytes) = 0;
  /// Returns cached blocks to the system.
  virtual void trim() = 0;
  virtual MemoryStatistics statistics() const = 0;
  virtual void copy_from_host(void* device, const void* host, int64_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, int64_t bytes) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;
  virtual void set_zero(void* block, int64_t bytes) = 0;
};

/// The memory of a device. Throws Error if no backend for the device is loaded.
Memory& memory_of(Device device);
/// Called by a backend loaded at run time.
void register_memory(DeviceKind kind, std::shared_ptr<Memory> memory);

}  // namespace astroclip
