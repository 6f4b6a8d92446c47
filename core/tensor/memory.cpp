#include "tensor/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace astroclip {

namespace {

/// Host memory: released blocks are kept in lists by size, because sizes repeat from step to step. Sizes are rounded up
/// to eighths of a power of two, so that those that follow from a draw (of masks, of samples) repeat, too. What
/// rounding adds to a large block is address space that is never touched.
class HostMemory final : public Memory {
 public:
  ~HostMemory() override { trim(); }

  void* allocate(int64_t bytes) override {
    const int64_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    statistics_.used_bytes += size;
    statistics_.peak_used_bytes = std::max(statistics_.peak_used_bytes, statistics_.used_bytes);
    std::vector<void*>& bin = bins_[size];
    if (!bin.empty()) {
      void* block = bin.back();
      bin.pop_back();
      return block;
    }
    void* block = size >= huge_page ? map_pages(static_cast<size_t>(size))
                                    : std::aligned_alloc(alignment_of(size), static_cast<size_t>(size));
    if (block == nullptr) {
      statistics_.used_bytes -= size;
      throw Error(fmt::format("[memory] the host cannot allocate {} bytes ({} in use)", size, statistics_.used_bytes));
    }
    ++statistics_.fresh_allocations;
    statistics_.reserved_bytes += size;
    return block;
  }

  void release(void* block, int64_t bytes) override {
    const int64_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    statistics_.used_bytes -= size;
    bins_[size].push_back(block);
  }

  void trim() override {
    const std::lock_guard lock(mutex_);
    for (auto& [size, bin] : bins_) {
      statistics_.reserved_bytes -= size * static_cast<int64_t>(bin.size());
      for (void* block : bin) {
        if (size >= huge_page) {
          munmap(block, static_cast<size_t>(size));
        } else {
          std::free(block);
        }
      }
      bin.clear();
    }
  }

  MemoryStatistics statistics() const override {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  void copy_from_host(void* device, const void* host, int64_t bytes) override { copy(device, host, bytes); }
  void copy_to_host(void* host, const void* device, int64_t bytes) override { copy(host, device, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes > 0) std::memmove(to, from, static_cast<size_t>(bytes));
  }
  void set_zero(void* block, int64_t bytes) override { std::memset(block, 0, static_cast<size_t>(bytes)); }

 private:
  static constexpr int64_t alignment = 64;
  static constexpr int64_t page = 4096;
  static constexpr int64_t huge_page = 2 << 20;

  /// Allocates whole huge pages, which reduce TLB misses in products of large matrices. Uses mmap, because malloc would
  /// leave gaps between blocks of that alignment. Null if there is no memory.
  static void* map_pages(size_t size) {
    constexpr auto page_size = static_cast<size_t>(huge_page);
    void* mapped = mmap(nullptr, size + page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* begin = static_cast<std::byte*>(mapped);
    const size_t before = (page_size - reinterpret_cast<uintptr_t>(begin) % page_size) % page_size;
    if (before > 0) munmap(begin, before);
    munmap(begin + before + size, page_size - before);
    (void)madvise(begin + before, size, MADV_HUGEPAGE);  // a failure costs only speed
    return begin + before;
  }

  static int64_t alignment_of(int64_t bytes) {
    if (bytes >= huge_page) return huge_page;
    return bytes >= page ? page : alignment;
  }

  static int64_t rounded(int64_t bytes) {
    const int64_t eighth = std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(bytes, 1))) / 8;
    const int64_t unit = std::max(alignment_of(bytes), eighth);
    return std::max<int64_t>(1, (bytes + unit - 1) / unit) * unit;
  }

  mutable std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> bins_;
  MemoryStatistics statistics_;
};

std::shared_ptr<Memory>& slot(DeviceKind kind) {
  // Never destroyed, because tensors in static objects may outlive it.
  static auto* host = new std::shared_ptr<Memory>(std::make_shared<HostMemory>());
  static auto* cuda = new std::shared_ptr<Memory>();
  return is_host_memory({kind}) ? *host : *cuda;
}

}  // namespace

std::string Device::str() const {
  switch (kind) {
    case DeviceKind::reference:
      return "reference";
    case DeviceKind::cpu:
      return "cpu";
    case DeviceKind::cuda:
      return fmt::format("cuda:{}", index);
  }
  return "?";
}

Memory& memory_of(Device device) {
  const std::shared_ptr<Memory>& memory = slot(device.kind);
  if (!memory) throw Error(fmt::format("[memory] no backend for device '{}' is loaded", device.str()));
  return *memory;
}

void register_memory(DeviceKind kind, std::shared_ptr<Memory> memory) { slot(kind) = std::move(memory); }

}  // namespace astroclip
