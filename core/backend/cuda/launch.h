#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"

/// How kernels are started and how they get shared memory. Tests replace this header by one that runs kernels on the
/// host, so kernels use nothing beyond it: no <<<>>>, no `extern __shared__`.
namespace astroclip::cuda {

template <class T>
struct Same {
  using type = T;
};

/// Queues `kernel` with `shared` bytes of dynamic shared memory. Nothing runs when the grid is empty.
template <class... Parameters>
void launch_shared(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
                   typename Same<Parameters>::type... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  constexpr size_t default_limit = 48 << 10;
  if (shared > default_limit) {
    ASTROCLIP_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  }
  void* pointers[] = {&arguments..., nullptr};
  ASTROCLIP_CUDA(
      cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, shared, Card::get().stream()));
}

/// Queues `kernel`. Nothing runs when the grid is empty.
template <class... Parameters>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, typename Same<Parameters>::type... arguments) {
  launch_shared<Parameters...>(kernel, grid, block, 0, arguments...);
}

/// Queues `kernel` by clusters of that many blocks, which reach each other's shared memory.
template <class... Parameters>
void launch_clusters(void (*kernel)(Parameters...), unsigned blocks, dim3 grid, dim3 block, size_t shared,
                     typename Same<Parameters>::type... arguments) {
  ASTROCLIP_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  cudaLaunchAttribute cluster;
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {blocks, 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = Card::get().stream();
  config.attrs = &cluster;
  config.numAttrs = 1;
  void* pointers[] = {&arguments..., nullptr};
  ASTROCLIP_CUDA(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), pointers));
}

#ifdef __CUDACC__
/// The block's dynamic shared memory.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char shared_bytes[];
  return reinterpret_cast<T*>(shared_bytes);
}
#endif

/// Blocks of `block` threads that cover `count` elements.
inline unsigned blocks_for(int64_t count, int64_t block) { return static_cast<unsigned>((count + block - 1) / block); }

}  // namespace astroclip::cuda
