#include "backend/pinned.h"

#include <deque>
#include <map>
#include <mutex>

#include "backend/backend.h"
#include "base/error.h"
#include "tensor/caching_memory_internal.h"

namespace astroclip {

namespace {

/// Keeps released blocks in lists by size, each with the point of the device's queue at which it is free.
class PinnedMemory final : public std::pmr::memory_resource {
 public:
  explicit PinnedMemory(Device device) : device_(device) {}

 private:
  struct Block {
    void* data = nullptr;
    std::unique_ptr<Event> free;
  };

  static constexpr int64_t page = 4096;

  void* do_allocate(size_t bytes, size_t) override {
    const int64_t size = block_size(static_cast<int64_t>(bytes), page);
    Block block;
    {
      const std::lock_guard lock(mutex_);
      std::deque<Block>& released = released_[size];
      if (!released.empty()) {
        block = std::move(released.front());
        released.pop_front();
      }
    }
    if (block.data == nullptr) return backend_of(device_).allocate_pinned(size);
    block.free->wait();
    return block.data;
  }

  void do_deallocate(void* data, size_t bytes, size_t) override {
    try {
      Block block{data, backend_of(device_).record_event()};
      const std::lock_guard lock(mutex_);
      released_[block_size(static_cast<int64_t>(bytes), page)].push_back(std::move(block));
    } catch (const Error&) {  // the device is lost, and the block with it
    }
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  Device device_;
  std::mutex mutex_;
  std::map<int64_t, std::deque<Block>> released_;
};

}  // namespace

std::pmr::memory_resource* pinned_memory(Device device) {
  if (is_host_memory(device)) return std::pmr::get_default_resource();
  // Never destroyed, like the device's memory; a process uses one device.
  static auto* pinned = new PinnedMemory(device);
  return pinned;
}

}  // namespace astroclip
