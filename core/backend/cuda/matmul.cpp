#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/few_rows.h"
#include "backend/cuda/product.h"

namespace astroclip::cuda {

void CudaBackend::matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) {
  if (c.numel() == 0) return;
  ProductSpec spec;
  spec.m = c.shape[-2];
  spec.n = c.shape[-1];
  spec.k = a.shape[transpose_a ? -2 : -1];
  if (spec.k == 0) return fill(c, 0.0);
  spec.batch = c.numel() / (spec.m * spec.n);
  spec.transpose_a = transpose_a;
  spec.transpose_b = transpose_b;
  const ProductOperands operands = {.a = a.data, .b = b.data, .y = c.data, .alpha = static_cast<float>(alpha)};
  if (!try_few_rows(spec, operands)) product(spec, operands);
}

}  // namespace astroclip::cuda
