#pragma once

#include "backend/cuda/product.h"

namespace astroclip::cuda {

/// Queues a float32 product of which one operand has at most 16 rows or columns and the other is large, at the speed at
/// which that one is read; false if the product is of another kind or its operands are not aligned to 16 bytes.
bool try_few_rows(const ProductSpec& spec, const ProductOperands& operands);

}  // namespace astroclip::cuda
