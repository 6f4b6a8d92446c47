#include "backend/cuda/cuda_backend.h"

#include <algorithm>

#include "backend/cuda/capture.h"
#include "backend/cuda/card.h"
#include "backend/cuda/check.h"

namespace astroclip::cuda {

namespace {

class CardEvent final : public Event {
 public:
  CardEvent() {
    ASTROCLIP_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
    ASTROCLIP_CUDA(cudaEventRecord(event_, Card::get().main_stream()));
  }
  ~CardEvent() override { (void)cudaEventDestroy(event_); }
  CardEvent(const CardEvent&) = delete;
  CardEvent& operator=(const CardEvent&) = delete;
  void wait() override { ASTROCLIP_CUDA(cudaEventSynchronize(event_)); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

void CudaBackend::synchronize() { ASTROCLIP_CUDA(cudaStreamSynchronize(Card::get().stream())); }

std::unique_ptr<Event> CudaBackend::record_event() { return std::make_unique<CardEvent>(); }

void* CudaBackend::allocate_pinned(int64_t bytes) {
  (void)Card::get();
  void* block = nullptr;
  ASTROCLIP_CUDA(cudaMallocHost(&block, static_cast<size_t>(std::max<int64_t>(bytes, 1))));
  return block;
}

void CudaBackend::release_pinned(void* block) { (void)cudaFreeHost(block); }

void CudaBackend::copy_async(Tensor& to, const void* pinned) {
  memory_of(to.device()).copy_from_host(to.mutable_data(), pinned, to.bytes());
}

void CudaBackend::copy_async(void* pinned, const Tensor& from) {
  refuse_in_capture("a copy to the host");
  ASTROCLIP_CUDA(cudaMemcpyAsync(pinned, from.data(), static_cast<size_t>(from.bytes()), cudaMemcpyDeviceToHost,
                                 Card::get().stream()));
}

}  // namespace astroclip::cuda
