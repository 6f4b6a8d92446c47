#include "backend/cuda/record.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/memory.h"

namespace {

void open(int index) {
  using namespace astroclip;
  cuda::Card::open(index);
  const auto memory = std::make_shared<cuda::CardMemory>();
  register_memory(DeviceKind::cuda, memory);
  register_backend(DeviceKind::cuda, std::make_shared<cuda::CudaBackend>(memory));
}

std::string describe() {
  std::string text = astroclip::cuda::Card::get().describe();
  for (const char* choice :
       {"ASTROCLIP_CUDA_PLANS", "ASTROCLIP_CUDA_ATTENTION", "ASTROCLIP_CUDA_CONVOLUTION", "ASTROCLIP_CUDA_GELU"}) {
    if (const char* value = std::getenv(choice)) {
      text += fmt::format(", {}={}", choice, std::filesystem::path(value).filename().string());
    }
  }
  return text;
}

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
