#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cudnn.h>

/// Statuses of CUDA's libraries as errors: "[cuda] cudaMalloc: out of memory".
namespace astroclip::cuda {

/// Throws Error naming `call` unless the status is success.
void check(cudaError_t status, const char* call);
void check(cublasStatus_t status, const char* call);
void check(cudnnStatus_t status, const char* call);

}  // namespace astroclip::cuda

/// Makes a call of a CUDA library; throws Error with its name unless it succeeds.
#define ASTROCLIP_CUDA(call) ::astroclip::cuda::check(call, #call)
