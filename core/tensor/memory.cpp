#include "tensor/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "tensor/caching_memory_internal.h"

namespace astroclip {

namespace {

/// Host memory. What rounding adds to a large block is address space that is never touched.
class HostMemory final : public CachingMemory {
 public:
  ~HostMemory() override { trim(); }

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

  int64_t alignment_of(int64_t bytes) const override {
    if (bytes >= huge_page) return huge_page;
    return bytes >= page ? page : alignment;
  }

  void* take(int64_t size) override {
    return size >= huge_page ? map_pages(static_cast<size_t>(size))
                             : std::aligned_alloc(alignment_of(size), static_cast<size_t>(size));
  }

  void give_back(void* block, int64_t size) override {
    if (size >= huge_page) {
      munmap(block, static_cast<size_t>(size));
    } else {
      std::free(block);
    }
  }

  std::string refusal(int64_t size, int64_t used) const override {
    return fmt::format("[memory] the host cannot allocate {} bytes ({} in use)", size, used);
  }

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
