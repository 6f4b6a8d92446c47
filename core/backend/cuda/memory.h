#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tensor/memory.h"

namespace astroclip::cuda {

/// The card's memory: released blocks are kept in lists by size, like the host's. Blocks are aligned to 256. Copies run
/// in the order of the card's stream; only a copy to the host waits for it.
class CardMemory final : public Memory {
 public:
  void* allocate(int64_t bytes) override;
  void release(void* block, int64_t bytes) override;
  void trim() override;
  MemoryStatistics statistics() const override;
  void copy_from_host(void* device, const void* host, int64_t bytes) override;
  void copy_to_host(void* host, const void* device, int64_t bytes) override;
  void copy(void* to, const void* from, int64_t bytes) override;
  void set_zero(void* block, int64_t bytes) override;

 private:
  void trim_locked();

  mutable std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> bins_;
  MemoryStatistics statistics_;
};

}  // namespace astroclip::cuda
