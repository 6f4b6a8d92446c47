#include "backend/cuda/record.h"

#include <memory>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/memory.h"

namespace {

void open(int index) {
  using namespace astroclip;
  cuda::Card::open(index);
  register_memory(DeviceKind::cuda, std::make_shared<cuda::CardMemory>());
  register_backend(DeviceKind::cuda, std::make_shared<cuda::CudaBackend>());
}

std::string describe() { return astroclip::cuda::Card::get().describe(); }

int64_t free_bytes() {
  (void)astroclip::cuda::Card::get();
  size_t available = 0, total = 0;
  ASTROCLIP_CUDA(cudaMemGetInfo(&available, &total));
  return static_cast<int64_t>(available);
}

}  // namespace

extern "C" __attribute__((visibility("default")))
const astroclip::cuda::Record astroclip_cuda_record = {astroclip::cuda::record_magic,
                                                       ASTROCLIP_CONTRACT,
                                                       &astroclip::cuda::Card::objection,
                                                       &open,
                                                       &describe,
                                                       &free_bytes};
