#pragma once

#include "backend/host_backend.h"

namespace astroclip::cpu {

/// The host's fast backend: float32, products by oneDNN, the rest SIMD kernels chosen at run time for the processor.
/// bf16 products where the processor has bf16 instructions. Every partition of work depends only on sizes and the
/// number of compute threads, and a row's arithmetic never on its batch. A file for each family of kernels.
class CpuBackend final : public HostBackend {
 public:
  std::string_view name() const override { return "cpu"; }
  DType compute_dtype() const override { return DType::f32; }
  bool supports(Precision precision) const override;
  /// bf16 beside products of it with AMX, which are so fast that memory limits what lies between them.
  DType stored_dtype(Precision precision) const override;

  // Elementwise.
  void fill(View y, double value) override;
  void cast(ConstView x, View y) override;
  void unary(UnaryOp op, ConstView x, View y) override;
  void unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) override;
  void binary(BinaryOp op, ConstView a, ConstView b, View y) override;
  void scale_add(double alpha, ConstView x, double beta, double gamma, View y) override;
  void dropout(ConstView x, double p, uint64_t seed, View y) override;

  // Layout.
  void permute(ConstView x, std::span<const int> order, View y) override;
  void copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows, DType dtype,
                   bool accumulate) override;
  void gather_rows(ConstView x, ConstView index, View y) override;
  void scatter_add_rows(ConstView dy, ConstView index, View dx) override;
  void add_rows(const AddRowsArguments& arguments) override;
  void add_rows_backward(const AddRowsBackwardArguments& arguments) override;
  void reduce(ReduceOp op, ConstView x, View y) override;

  // Products.
  void matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) override;
  std::shared_ptr<Prepared> prepare(ConstView weight, WeightUse use, Precision precision, int64_t rows) override;
  void linear(const LinearArguments& arguments) override;
  void linear_backward_input(const LinearBackwardInputArguments& arguments) override;
  void linear_backward_weight(const LinearBackwardWeightArguments& arguments) override;

  // Windows.
  void convolution(const ConvolutionArguments& arguments) override;
  void convolution_backward_input(const ConvolutionBackwardInputArguments& arguments) override;
  void convolution_backward_weight(const ConvolutionBackwardWeightArguments& arguments) override;
  void max_pool(ConstView x, const Windows& windows, View y, View index) override;
  void max_pool_backward(ConstView dy, ConstView index, View dx) override;

  // Fused kernels.
  void attention(const AttentionArguments& arguments) override;
  void attention_backward(const AttentionBackwardArguments& arguments) override;
  void layer_norm(const LayerNormArguments& arguments) override;
  void layer_norm_backward(const LayerNormBackwardArguments& arguments) override;
  void batch_norm(const BatchNormArguments& arguments) override;
  void batch_norm_backward(const BatchNormBackwardArguments& arguments) override;
  void softmax(ConstView x, ConstView shift, double scale, View y) override;
  void softmax_backward(ConstView dy, ConstView y, View dx) override;
  void log_sum_exp(ConstView x, View y) override;
  void cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) override;
  void cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss,
                              View dlogits) override;
  void soft_cross_entropy(const SoftCrossEntropyArguments& arguments) override;
  void soft_cross_entropy_backward(const SoftCrossEntropyBackwardArguments& arguments) override;
  void normalize_rows(ConstView x, double epsilon, View y, View norm) override;
  void normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) override;
  void weight_norm(ConstView x, ConstView length, double epsilon, View y, View norm) override;
  void weight_norm_backward(const WeightNormBackwardArguments& arguments) override;

  // Optimiser.
  void gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) override;
  void adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) override;
  void exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay) override;
};

}  // namespace astroclip::cpu
