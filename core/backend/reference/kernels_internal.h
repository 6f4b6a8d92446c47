#pragma once

#include "backend/backend.h"

/// The reference kernels, a file per family; reference_backend.cpp gathers them behind the Backend interface.
namespace astroclip::reference {

// elementwise.cpp
void fill(View y, double value);
void cast(ConstView x, View y);
void unary(UnaryOp op, ConstView x, View y);
void unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx);
void binary(BinaryOp op, ConstView a, ConstView b, View y);
void scale_add(double alpha, ConstView x, double beta, double gamma, View y);
void dropout(ConstView x, double p, uint64_t seed, View y);

// layout.cpp
void permute(ConstView x, std::span<const int> order, View y);
void copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows, DType dtype,
                 bool accumulate);
void gather_rows(ConstView x, ConstView index, View y);
void scatter_add_rows(ConstView dy, ConstView index, View dx);
void reduce(ReduceOp op, ConstView x, View y);

// products.cpp
void matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c);
void linear(const LinearArguments& arguments);
void linear_backward_input(const LinearBackwardInputArguments& arguments);
void linear_backward_weight(const LinearBackwardWeightArguments& arguments);

// attention.cpp
void attention(const AttentionArguments& arguments);
void attention_backward(const AttentionBackwardArguments& arguments);

// rows.cpp: kernels along the last axis
void layer_norm(ConstView x, ConstView weight, ConstView bias, double epsilon, View y, View mean,
                View inverse_deviation);
void layer_norm_backward(ConstView dy, ConstView x, ConstView weight, ConstView mean, ConstView inverse_deviation,
                         View dx, View dweight, View dbias);
void softmax(ConstView x, View y);
void softmax_backward(ConstView dy, ConstView y, View dx);
void cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp);
void cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss, View dlogits);
void normalize_rows(ConstView x, double epsilon, View y, View norm);
void normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx);

// windows.cpp
void convolution(const ConvolutionArguments& arguments);
void convolution_backward_input(const ConvolutionBackwardInputArguments& arguments);
void convolution_backward_weight(const ConvolutionBackwardWeightArguments& arguments);
void max_pool(ConstView x, const Windows& windows, View y, View index);
void max_pool_backward(ConstView dy, ConstView index, View dx);

// batch_norm.cpp
void batch_norm(const BatchNormArguments& arguments);
void batch_norm_backward(const BatchNormBackwardArguments& arguments);

// optimiser.cpp
void gradient_clip(std::span<const ConstView> gradients, double max_norm, View state);
void adamw(std::span<const AdamwSegment> segments, const AdamwStep& step);
void exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay);

}  // namespace astroclip::reference
