// Checked calls of CUDA, cuBLASLt and cuDNN: check(call) throws what went wrong, with the caller's place.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include <source_location>
#include <stdexcept>
#include <string>

[[noreturn]] inline void fail(const std::string& why, const std::source_location& at) {
  const std::string file = at.file_name();
  throw std::runtime_error(why + " (" + file.substr(file.rfind('/') + 1) + ":" + std::to_string(at.line()) + ")");
}
inline void check(cudaError_t status, const std::source_location& at = std::source_location::current()) {
  if (status != cudaSuccess) fail(std::string("CUDA: ") + cudaGetErrorString(status), at);
}
inline void check(cublasStatus_t status, const std::source_location& at = std::source_location::current()) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(std::string("cuBLASLt: ") + cublasLtGetStatusString(status), at);
}
inline void check(cudnnStatus_t status, const std::source_location& at = std::source_location::current()) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char details[1024] = "";
  cudnnGetLastErrorString(details, sizeof details);
  fail(std::string("cuDNN: ") + cudnnGetErrorString(status) + ": " + details, at);
}
