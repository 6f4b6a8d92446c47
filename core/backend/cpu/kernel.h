#pragma once

#include <string_view>

#include "backend/cpu/cpu_backend.h"

/// What the kernels' files share.
namespace astroclip::cpu {

/// Elements below which splitting a memory-bound kernel over threads does not pay.
inline constexpr int64_t elementwise_grain = 16384;

/// Rows that make a worthwhile share of work for one thread.
inline int64_t row_grain(int64_t width) { return width >= elementwise_grain ? 1 : elementwise_grain / (width + 1) + 1; }

/// Multiplications that make a worthwhile share of a product for one thread.
inline constexpr int64_t product_grain = 1 << 19;

/// Units of work, each of so many multiplications, that make one.
inline int64_t unit_grain(int64_t multiplications) { return product_grain / (multiplications + 1) + 1; }

/// Rows of a tensor seen as [rows, last axis].
inline int64_t rows_of(const Shape& shape) { return shape[-1] == 0 ? 0 : shape.numel() / shape[-1]; }

/// Throws Error unless the view holds float32.
void expect_f32(const ConstView& view, std::string_view kernel);

/// Throws Error unless the view holds float32 or the dtype `stored`.
void expect_stored(const ConstView& view, DType stored, std::string_view kernel);

/// y = activation(x) + residual, residual optional; y may be x or residual.
void activate(Activation activation, const float* x, const float* residual, float* y, int64_t size);

/// y = activation(x) for GELU and ReLU; y may be x.
void activate(Activation activation, const BFloat16* x, BFloat16* y, int64_t size);

/// y [width] = column sums of x [rows, width].
void sum_columns(const float* x, int64_t rows, int64_t width, float* y);
void sum_columns(const BFloat16* x, int64_t rows, int64_t width, float* y);

/// Rounds float32 to bf16, nearest even, over all threads.
void round_to_bf16(const float* x, BFloat16* y, int64_t size);
/// The same for `rows` rows of `width` elements with their own pitches, on one thread.
void round_rows_to_bf16(const float* x, int64_t x_pitch, BFloat16* y, int64_t y_pitch, int64_t width, int64_t rows);

}  // namespace astroclip::cpu
