#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tensor/caching_memory_internal.h"

namespace astroclip {
namespace {

/// Memory of a system that has so many bytes.
class Limited final : public CachingMemory {
 public:
  explicit Limited(int64_t bytes) : left_(bytes) {}
  ~Limited() override { trim(); }
  int64_t left() const { return left_; }
  void copy_from_host(void*, const void*, int64_t) override {}
  void copy_to_host(void*, const void*, int64_t) override {}
  void copy(void*, const void*, int64_t) override {}
  void set_zero(void*, int64_t) override {}

 private:
  int64_t alignment_of(int64_t) const override { return 64; }
  void* take(int64_t size) override {
    if (size > left_) return nullptr;
    left_ -= size;
    return ::operator new(static_cast<size_t>(size));
  }
  void give_back(void* block, int64_t size) override {
    left_ += size;
    ::operator delete(block);
  }
  std::string refusal(int64_t size, int64_t used) const override {
    return std::to_string(size) + " with " + std::to_string(used);
  }

  int64_t left_;
};

TEST(BlockSize, IsEighthsOfAPowerOfTwo) {
  EXPECT_EQ(block_size(0, 64), 64);
  EXPECT_EQ(block_size(65, 64), 128);
  EXPECT_EQ(block_size(1025, 64), 1152);  // 9 eighths of 1024
  EXPECT_EQ(block_size(1152, 64), 1152);
  EXPECT_EQ(block_size(2047, 64), 2048);
  EXPECT_EQ(block_size(1025, 4096), 4096);
}

TEST(CachingMemory, ReturnsCachedBlocksWhenTheSystemHasNoMore) {
  Limited memory(4096);
  void* small = memory.allocate(1024);
  memory.release(memory.allocate(2048), 2048);
  EXPECT_EQ(memory.left(), 1024);
  void* large = memory.allocate(3072);
  const MemoryStatistics statistics = memory.statistics();
  EXPECT_EQ(statistics.fresh_allocations, 3);
  EXPECT_EQ(statistics.reserved_bytes, 4096);
  EXPECT_EQ(statistics.used_bytes, 4096);
  EXPECT_EQ(statistics.peak_used_bytes, 4096);
  memory.release(small, 1024);
  memory.release(large, 3072);
}

TEST(CachingMemory, CountsNothingThatItRefuses) {
  Limited memory(4096);
  void* block = memory.allocate(1024);
  EXPECT_THAT([&] { memory.allocate(4096); }, testing::ThrowsMessage<Error>("4096 with 1024"));
  EXPECT_EQ(memory.statistics().used_bytes, 1024);
  EXPECT_EQ(memory.statistics().peak_used_bytes, 1024);
  EXPECT_EQ(memory.statistics().reserved_bytes, 1024);
  memory.release(block, 1024);
  memory.trim();
  EXPECT_EQ(memory.statistics().reserved_bytes, 0);
  EXPECT_EQ(memory.left(), 4096);
}

TEST(CachingMemory, KeepsWhatAThreadReleases) {
  Limited memory(8192);
  memory.release(memory.allocate(1024), 1024);
  void* before = memory.allocate(2048);
  EXPECT_TRUE(memory.keep_released());
  EXPECT_FALSE(memory.keep_released()) << "a second time";
  void* first = memory.allocate(1024);
  memory.release(first, 1024);
  EXPECT_EQ(memory.allocate(1024), first) << "for itself";
  memory.release(first, 1024);
  memory.release(before, 2048);
  std::thread([&] {
    void* others = memory.allocate(1024);
    EXPECT_NE(others, first);
    memory.release(others, 1024);
    EXPECT_EQ(memory.allocate(1024), others) << "another thread's blocks are not kept";
    memory.release(others, 1024);
  }).join();
  const std::vector<CachingMemory::Block> kept = memory.take_kept();
  EXPECT_EQ(kept.size(), 2U);
  EXPECT_EQ(memory.statistics().used_bytes, 1024 + 2048);
  void* after = memory.allocate(2048);
  EXPECT_NE(after, before);
  memory.release(after, 2048);
  memory.trim();
  EXPECT_EQ(memory.statistics().reserved_bytes, 1024 + 2048);
  for (const auto& [data, size] : kept) memory.release(data, size);
  EXPECT_EQ(memory.statistics().used_bytes, 0);
  EXPECT_EQ(memory.allocate(2048), before);
  memory.release(before, 2048);
}

}  // namespace
}  // namespace astroclip
