#pragma once

#include <string_view>

#include "backend/backend.h"

/// The cpu kernels, a file per family; cpu_backend.cpp gathers them behind the Backend interface. Every partition
/// of work depends only on sizes and the number of compute threads, and a row's arithmetic never on its batch.
namespace astroclip::cpu {

/// Elements below which splitting a memory-bound kernel over threads does not pay.
inline constexpr int64_t elementwise_grain = 16384;

/// Rows that make a worthwhile share of work for one thread.
inline int64_t row_grain(int64_t width) { return width >= elementwise_grain ? 1 : elementwise_grain / (width + 1) + 1; }

/// Rows of a tensor seen as [rows, last axis].
inline int64_t rows_of(const Shape& shape) { return shape[-1] == 0 ? 0 : shape.numel() / shape[-1]; }

/// Throws Error unless the view holds float32.
void expect_f32(const ConstView& view, std::string_view kernel);

// elementwise.cpp
void unary(UnaryOp op, ConstView x, View y);
void unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx);
void scale_add(double alpha, ConstView x, double beta, double gamma, View y);

/// y = activation(x) + residual, residual optional; y may be x or residual.
void activate(Activation activation, const float* x, const float* residual, float* y, int64_t size);

// binary.cpp
void binary(BinaryOp op, ConstView a, ConstView b, View y);

// cast.cpp
void fill(View y, double value);
void cast(ConstView x, View y);
/// Rounds float32 to bf16, nearest even, `rows` rows of `width` elements with their own pitches; on one thread.
void round_rows_to_bf16(const float* x, int64_t x_pitch, BFloat16* y, int64_t y_pitch, int64_t width, int64_t rows);

// dropout.cpp
void dropout(ConstView x, double p, uint64_t seed, View y);

// layout.cpp
void permute(ConstView x, std::span<const int> order, View y);
void copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows, DType dtype,
                 bool accumulate);
void gather_rows(ConstView x, ConstView index, View y);
void scatter_add_rows(ConstView dy, ConstView index, View dx);

// reduce.cpp
void reduce(ReduceOp op, ConstView x, View y);
/// y [width] = column sums of x [rows, width].
void sum_columns(const float* x, int64_t rows, int64_t width, float* y);

// linear.cpp
void matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c);
std::shared_ptr<Prepared> prepare(ConstView weight, WeightUse use, Precision precision, int64_t rows);
void linear(const LinearArguments& arguments);
void linear_backward_input(const LinearBackwardInputArguments& arguments);
void linear_backward_weight(const LinearBackwardWeightArguments& arguments);

// attention.cpp, attention_backward.cpp
/// Start of one (batch, head) of a strided operand.
inline const float* head_of(const HeadsView& view, int64_t batch, int64_t head, int64_t width) {
  return static_cast<const float*>(view.data) + batch * view.batch_stride + head * width;
}
inline float* head_of(const MutableHeadsView& view, int64_t batch, int64_t head, int64_t width) {
  return static_cast<float*>(view.data) + batch * view.batch_stride + head * width;
}
void attention(const AttentionArguments& arguments);
void attention_backward(const AttentionBackwardArguments& arguments);

// attention_f32.cpp
void attention_f32(const AttentionArguments& arguments);

// attention_bf16.cpp: operands rounded to bf16, on processors that multiply it
void attention_bf16(const AttentionArguments& arguments);

// attention_few.cpp: for so few queries that packing keys and values costs more than the products
inline constexpr int64_t few_queries = 8;
void attention_few(const AttentionArguments& arguments);
void attention_few_backward(const AttentionBackwardArguments& arguments);

// layer_norm.cpp
void layer_norm(ConstView x, ConstView weight, ConstView bias, double epsilon, View y, View mean,
                View inverse_deviation);
void layer_norm_backward(ConstView dy, ConstView x, ConstView weight, ConstView mean, ConstView inverse_deviation,
                         View dx, View dweight, View dbias);

// convolution.cpp
void convolution(const ConvolutionArguments& arguments);
void convolution_backward_input(const ConvolutionBackwardInputArguments& arguments);
void convolution_backward_weight(const ConvolutionBackwardWeightArguments& arguments);

// max_pool.cpp
void max_pool(ConstView x, const Windows& windows, View y, View index);
void max_pool_backward(ConstView dy, ConstView index, View dx);

// batch_norm.cpp
void batch_norm(const BatchNormArguments& arguments);
void batch_norm_backward(const BatchNormBackwardArguments& arguments);

// softmax.cpp
void softmax(ConstView x, View y);
void softmax_backward(ConstView dy, ConstView y, View dx);
void cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp);
void cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss, View dlogits);

// normalize.cpp
void normalize_rows(ConstView x, double epsilon, View y, View norm);
void normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx);

// optimiser.cpp
void gradient_clip(std::span<const ConstView> gradients, double max_norm, View state);
void adamw(std::span<const AdamwSegment> segments, const AdamwStep& step);
void exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay);

}  // namespace astroclip::cpu
