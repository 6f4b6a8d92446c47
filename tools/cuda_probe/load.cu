#include "load.h"

namespace {

__global__ void load_kernel(float* memory, int64_t count, int passes) {
  for (int pass = 0; pass < passes; ++pass) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < count;
         i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
      float x = memory[i];
      for (int k = 0; k < 16; ++k) x = fmaf(x, 0.999F, 0.001F);
      memory[i] = x;
    }
  }
}

}  // namespace

void Load::queue(int turn) {
  const unsigned blocks = 20 + turn * 37 % 220;
  load_kernel<<<blocks, 256, 0, stream_>>>(memory_.get(), memory_.count() / (1 + turn % 3), 1 + turn % 2);
  check(cudaGetLastError());
}
