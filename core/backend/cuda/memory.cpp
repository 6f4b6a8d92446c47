#include "backend/cuda/memory.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include "backend/cuda/capture.h"
#include "backend/cuda/card.h"
#include "backend/cuda/check.h"

namespace astroclip::cuda {

void* CardMemory::take(int64_t size) {
  refuse_in_capture("an allocation");
  (void)Card::get();  // the card of this thread
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, static_cast<size_t>(size));
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    return nullptr;
  }
  check(status, "cudaMalloc");
  return block;
}

void CardMemory::give_back(void* block, int64_t) {
  (void)Card::get();
  (void)cudaFree(block);  // waits for the work that uses it
}

std::string CardMemory::refusal(int64_t size, int64_t used) const {
  size_t available = 0, total = 0;
  ASTROCLIP_CUDA(cudaMemGetInfo(&available, &total));
  constexpr double gibibyte = 1 << 30;
  return fmt::format(
      "[cuda] the card {} cannot allocate {:.2f} GiB: {:.2f} of {:.2f} GiB are in use here, {:.2f} are left",
      Card::get().index(), static_cast<double>(size) / gibibyte, static_cast<double>(used) / gibibyte,
      static_cast<double>(total) / gibibyte, static_cast<double>(available) / gibibyte);
}

void CardMemory::copy_from_host(void* device, const void* host, int64_t bytes) {
  if (bytes == 0) return;
  refuse_in_capture("a copy from the host");
  ASTROCLIP_CUDA(
      cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, Card::get().stream()));
}

void CardMemory::copy_to_host(void* host, const void* device, int64_t bytes) {
  if (bytes == 0) return;
  refuse_in_capture("a copy to the host");
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
