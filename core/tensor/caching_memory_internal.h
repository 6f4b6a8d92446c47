#pragma once

#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tensor/memory.h"

namespace astroclip {

/// `bytes` rounded up to a multiple of `alignment`, a power of two, and to eighths of a power of two: sizes that follow
/// from a draw (of masks, of samples) then repeat, too.
int64_t block_size(int64_t bytes, int64_t alignment);

/// Keeps released blocks in lists by size, because sizes repeat from step to step, and counts them.
class CachingMemory : public Memory {
 public:
  void* allocate(int64_t bytes) final;
  void release(void* block, int64_t bytes) final;
  void trim() final;
  MemoryStatistics statistics() const final;

  struct Block {
    void* data = nullptr;
    int64_t size = 0;
  };
  /// From now on, what the calling thread releases is kept for what this thread allocates. Kept blocks count as used.
  /// False if a thread does so already.
  bool keep_released();
  /// Ends that. The blocks that are kept, for the caller to release.
  std::vector<Block> take_kept();

 protected:
  /// Blocks of about `bytes` bytes have a size that is a multiple of it; a power of two.
  virtual int64_t alignment_of(int64_t bytes) const = 0;
  /// A block from the system; null if it has no memory.
  virtual void* take(int64_t size) = 0;
  virtual void give_back(void* block, int64_t size) = 0;
  /// Says that there is no memory for a block, even with the cached ones returned. `used`: bytes of live tensors.
  virtual std::string refusal(int64_t size, int64_t used) const = 0;

 private:
  using Bins = std::unordered_map<int64_t, std::vector<void*>>;  ///< by size

  bool keeps() const { return keeper_ == std::this_thread::get_id(); }
  void* take_or_trim(int64_t size);
  void trim_locked();

  mutable std::mutex mutex_;
  Bins bins_, kept_;
  std::optional<std::thread::id> keeper_;
  MemoryStatistics statistics_;
};

}  // namespace astroclip
