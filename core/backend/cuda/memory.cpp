#include "backend/cuda/memory.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

constexpr int64_t alignment = 256;

/// Eighths of a power of two, so that sizes that follow from a draw repeat.
int64_t rounded(int64_t bytes) {
  const auto eighth = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(bytes, 1)))) / 8;
  const int64_t unit = std::max(alignment, eighth);
  return std::max<int64_t>(1, (bytes + unit - 1) / unit) * unit;
}

}  // namespace

void* CardMemory::allocate(int64_t bytes) {
  const int64_t size = rounded(bytes);
  const Card& card = Card::get();
  const std::lock_guard lock(mutex_);
  std::vector<void*>& bin = bins_[size];
  void* block = nullptr;
  if (!bin.empty()) {
    block = bin.back();
    bin.pop_back();
  } else {
    cudaError_t status = cudaMalloc(&block, static_cast<size_t>(size));
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      trim_locked();
      status = cudaMalloc(&block, static_cast<size_t>(size));
    }
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      size_t available = 0, total = 0;
      ASTROCLIP_CUDA(cudaMemGetInfo(&available, &total));
      throw Error(fmt::format(
          "[cuda] the card {} cannot allocate {:.2f} GiB: {:.2f} of {:.2f} GiB are in use here, {:.2f} are left",
          card.index(), static_cast<double>(size) / (1 << 30), static_cast<double>(statistics_.used_bytes) / (1 << 30),
          static_cast<double>(total) / (1 << 30), static_cast<double>(available) / (1 << 30)));
    }
    check(status, "cudaMalloc");
    ++statistics_.fresh_allocations;
    statistics_.reserved_bytes += size;
  }
  statistics_.used_bytes += size;
  statistics_.peak_used_bytes = std::max(statistics_.peak_used_bytes, statistics_.used_bytes);
  return block;
}

void CardMemory::release(void* block, int64_t bytes) {
  const int64_t size = rounded(bytes);
  const std::lock_guard lock(mutex_);
  statistics_.used_bytes -= size;
  bins_[size].push_back(block);
}

void CardMemory::trim() {
  (void)Card::get();
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void CardMemory::trim_locked() {
  for (auto& [size, bin] : bins_) {
    statistics_.reserved_bytes -= size * static_cast<int64_t>(bin.size());
    for (void* block : bin) (void)cudaFree(block);  // waits for the work that uses it
    bin.clear();
  }
}

MemoryStatistics CardMemory::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void CardMemory::copy_from_host(void* device, const void* host, int64_t bytes) {
  if (bytes == 0) return;
  ASTROCLIP_CUDA(
      cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, Card::get().stream()));
}

void CardMemory::copy_to_host(void* host, const void* device, int64_t bytes) {
  if (bytes == 0) return;
  const cudaStream_t stream = Card::get().stream();
  ASTROCLIP_CUDA(cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream));
  ASTROCLIP_CUDA(cudaStreamSynchronize(stream));
}

void CardMemory::copy(void* to, const void* from, int64_t bytes) {
  if (bytes == 0) return;
  ASTROCLIP_CUDA(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, Card::get().stream()));
}

void CardMemory::set_zero(void* block, int64_t bytes) {
  if (bytes == 0) return;
  ASTROCLIP_CUDA(cudaMemsetAsync(block, 0, static_cast<size_t>(bytes), Card::get().stream()));
}

}  // namespace astroclip::cuda
