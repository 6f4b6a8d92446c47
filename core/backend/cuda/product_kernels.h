#pragma once

#include "backend/backend.h"

/// What lies beside products: operands in the form that products read, what follows a product, sums of columns.
namespace astroclip::cuda {

/// to[i, j] = scale[i] · from[i, j], and 0 beyond from's rows and columns. Each is f32 or bf16; the scale, f32, is
/// optional.
void copy_operand(ConstView from, const float* scale, View to);

/// y = activation(product + bias) + residual, with y [rows, columns] and a product of at least as many rows and
/// columns.
struct FinishArguments {
  ConstView product = {};       ///< f32 or bf16; none is 0
  const float* bias = nullptr;  ///< optional, [columns]
  Activation activation = Activation::none;
  const float* residual = nullptr;  ///< optional, as y; may be y
  View pre_activation = {};         ///< optional, as y: product + bias
  View y = {};                      ///< may be the product
};
void finish(const FinishArguments& arguments);

/// sums [columns] = the sums of the columns of x [rows, columns], f32 or bf16, in an order that the extents fix.
void sum_columns(const void* x, DType dtype, int64_t rows, int64_t columns, float* sums);

}  // namespace astroclip::cuda
