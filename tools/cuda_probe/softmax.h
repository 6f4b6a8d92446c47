#pragma once

#include <cuda_runtime.h>

#include <cstdint>

/// Replaces each row of x [rows, width] by its softmax.
void softmax(float* x, int64_t rows, int64_t width, cudaStream_t stream = nullptr);
