#include "backend/pinned.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <mutex>

#include "backend/backend.h"
#include "base/error.h"

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

  /// Eighths of a power of two, so that sizes that follow from a draw repeat.
  static size_t rounded(size_t bytes) {
    constexpr size_t page = 4096;
    const size_t unit = std::max(page, std::bit_floor(bytes) / 8);
    return std::max<size_t>(1, (bytes + unit - 1) / unit) * unit;
  }

  void* do_allocate(size_t bytes, size_t) override {
    const size_t size = rounded(bytes);
    Block block;
    {
      const std::lock_guard lock(mutex_);
      std::deque<Block>& released = released_[size];
      if (!released.empty()) {
        block = std::move(released.front());
        released.pop_front();
      }
    }
    if (block.data == nullptr) return backend_of(device_).allocate_pinned(static_cast<int64_t>(size));
    block.free->wait();
    return block.data;
  }

  void do_deallocate(void* data, size_t bytes, size_t) override {
    try {
      Block block{data, backend_of(device_).record_event()};
      const std::lock_guard lock(mutex_);
      released_[rounded(bytes)].push_back(std::move(block));
    } catch (const Error&) {  // the device is lost, and the block with it
    }
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  Device device_;
  std::mutex mutex_;
  std::map<size_t, std::deque<Block>> released_;
};

}  // namespace

std::pmr::memory_resource* pinned_memory(Device device) {
  if (is_host_memory(device)) return std::pmr::get_default_resource();
  // Never destroyed, like the device's memory; a process uses one device.
  static auto* pinned = new PinnedMemory(device);
  return pinned;
}

}  // namespace astroclip
