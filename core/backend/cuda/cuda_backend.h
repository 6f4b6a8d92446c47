#pragma once

#include <memory>
#include <utility>

#include "backend/backend.h"
#include "backend/cuda/memory.h"

namespace astroclip::cuda {

/// An NVIDIA card: products by cuBLASLt, convolutions and long attention by cuDNN, the rest kernels of its own. f32
/// means float32 arithmetic, without TF32. With bf16, what only products read is stored in bf16. Every partition of
/// work depends only on sizes, so that the same card gives the same bits. A file for each family of kernels.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::shared_ptr<CardMemory> memory) : memory_(std::move(memory)) {}
  std::string_view name() const override { return "cuda"; }
  DType compute_dtype() const override { return DType::f32; }
  bool supports(Precision) const override { return true; }
  DType stored_dtype(Precision precision) const override {
    return precision == Precision::bf16 ? DType::bf16 : DType::f32;
  }
  DType pooled_dtype(Precision precision) const override { return stored_dtype(precision); }

  // Device queue.
  void synchronize() override;
  std::unique_ptr<Event> record_event() override;
  void* allocate_pinned(int64_t bytes) override;
  void release_pinned(void* block) override;
  void copy_async(Tensor& to, const void* pinned) override;
  void copy_async(void* pinned, const Tensor& from) override;
  std::unique_ptr<Replay> capture(const std::function<void()>& work) override;

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
  bool prepares_for_both_uses() const override { return true; }
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
  void attention_pool(const AttentionPoolArguments& arguments) override;
  void attention_pool_backward(const AttentionPoolBackwardArguments& arguments) override;
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

 private:
  std::shared_ptr<CardMemory> memory_;
};

}  // namespace astroclip::cuda
