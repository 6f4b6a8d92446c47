#include "backend/cuda/check.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"

namespace astroclip::cuda {

void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  throw Error(fmt::format("[cuda] {}: {}", call, cudaGetErrorString(status)));
}

void check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(fmt::format("[cuda] {}: {}", call, cublasLtGetStatusString(status)));
}

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 1024> details = {};
  cudnnGetLastErrorString(details.data(), details.size());
  throw Error(fmt::format("[cuda] {}: {}: {}", call, cudnnGetErrorString(status), details.data()));
}

}  // namespace astroclip::cuda
