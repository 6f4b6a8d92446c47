#include <algorithm>
#include <bit>

#include "base/error.h"
#include "tensor/caching_memory_internal.h"

namespace astroclip {

int64_t block_size(int64_t bytes, int64_t alignment) {
  const auto eighth = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(bytes, 1)))) / 8;
  const int64_t unit = std::max(alignment, eighth);
  return std::max<int64_t>(1, (bytes + unit - 1) / unit) * unit;
}

void* CachingMemory::allocate(int64_t bytes) {
  const int64_t size = block_size(bytes, alignment_of(bytes));
  const std::lock_guard lock(mutex_);
  void* block = nullptr;
  if (keeps() && !kept_[size].empty()) {
    block = kept_[size].back();
    kept_[size].pop_back();
    return block;
  }
  std::vector<void*>& bin = bins_[size];
  if (bin.empty()) {
    block = take_or_trim(size);
    ++statistics_.fresh_allocations;
    statistics_.reserved_bytes += size;
  } else {
    block = bin.back();
    bin.pop_back();
  }
  statistics_.used_bytes += size;
  statistics_.peak_used_bytes = std::max(statistics_.peak_used_bytes, statistics_.used_bytes);
  return block;
}

void* CachingMemory::take_or_trim(int64_t size) {
  if (void* block = take(size)) return block;
  trim_locked();
  if (void* block = take(size)) return block;
  throw Error(refusal(size, statistics_.used_bytes));
}

void CachingMemory::release(void* block, int64_t bytes) {
  const int64_t size = block_size(bytes, alignment_of(bytes));
  const std::lock_guard lock(mutex_);
  if (keeps()) return kept_[size].push_back(block);
  statistics_.used_bytes -= size;
  bins_[size].push_back(block);
}

bool CachingMemory::keep_released() {
  const std::lock_guard lock(mutex_);
  if (keeper_) return false;
  keeper_ = std::this_thread::get_id();
  return true;
}

std::vector<CachingMemory::Block> CachingMemory::take_kept() {
  const std::lock_guard lock(mutex_);
  std::vector<Block> blocks;
  for (const auto& [size, bin] : kept_) {
    for (void* data : bin) blocks.push_back({data, size});
  }
  kept_.clear();
  keeper_.reset();
  return blocks;
}

void CachingMemory::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void CachingMemory::trim_locked() {
  for (auto& [size, bin] : bins_) {
    statistics_.reserved_bytes -= size * static_cast<int64_t>(bin.size());
    for (void* block : bin) give_back(block, size);
    bin.clear();
  }
}

MemoryStatistics CachingMemory::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace astroclip
