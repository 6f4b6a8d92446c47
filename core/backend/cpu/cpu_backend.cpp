#include "backend/cpu/cpu_backend.h"

#include <fmt/format.h>

#include "backend/cpu/kernels_internal.h"
#include "backend/cpu/onednn_product.h"
#include "backend/host_backend.h"
#include "base/error.h"

namespace astroclip {

namespace cpu {

void expect_f32(const ConstView& view, std::string_view kernel) {
  if (view.dtype == DType::f32) return;
  throw Error(fmt::format("[cpu] {} takes f32, not {}", kernel, name_of(view.dtype)));
}

}  // namespace cpu

namespace {

class CpuBackend final : public HostBackend {
 public:
  std::string_view name() const override { return "cpu"; }
  DType compute_dtype() const override { return DType::f32; }
  bool supports(Precision precision) const override { return precision == Precision::f32 || cpu::onednn::has_bf16(); }

  std::shared_ptr<Prepared> prepare(ConstView weight, WeightUse use, Precision precision, int64_t rows) override {
    return cpu::prepare(weight, use, precision, rows);
  }

  void fill(View y, double value) override { cpu::fill(y, value); }
  void cast(ConstView x, View y) override { cpu::cast(x, y); }
  void unary(UnaryOp op, ConstView x, View y) override { cpu::unary(op, x, y); }
  void unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) override {
    cpu::unary_backward(op, x, y, dy, dx);
  }
  void binary(BinaryOp op, ConstView a, ConstView b, View y) override { cpu::binary(op, a, b, y); }
  void scale_add(double alpha, ConstView x, double beta, double gamma, View y) override {
    cpu::scale_add(alpha, x, beta, gamma, y);
  }
  void dropout(ConstView x, double p, uint64_t seed, View y) override { cpu::dropout(x, p, seed, y); }
  void permute(ConstView x, std::span<const int> order, View y) override { cpu::permute(x, order, y); }
  void copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows, DType dtype,
                   bool accumulate) override {
    cpu::copy_blocks(x, x_pitch, y, y_pitch, width, rows, dtype, accumulate);
  }
  void gather_rows(ConstView x, ConstView index, View y) override { cpu::gather_rows(x, index, y); }
  void scatter_add_rows(ConstView dy, ConstView index, View dx) override { cpu::scatter_add_rows(dy, index, dx); }
  void reduce(ReduceOp op, ConstView x, View y) override { cpu::reduce(op, x, y); }
  void matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) override {
    cpu::matmul(a, transpose_a, b, transpose_b, alpha, c);
  }
  void linear(const LinearArguments& arguments) override { cpu::linear(arguments); }
  void linear_backward_input(const LinearBackwardInputArguments& arguments) override {
    cpu::linear_backward_input(arguments);
  }
  void linear_backward_weight(const LinearBackwardWeightArguments& arguments) override {
    cpu::linear_backward_weight(arguments);
  }
  void attention(const AttentionArguments& arguments) override { cpu::attention(arguments); }
  void attention_backward(const AttentionBackwardArguments& arguments) override { cpu::attention_backward(arguments); }
  void layer_norm(ConstView x, ConstView weight, ConstView bias, double epsilon, View y, View mean,
                  View inverse_deviation) override {
    cpu::layer_norm(x, weight, bias, epsilon, y, mean, inverse_deviation);
  }
  void layer_norm_backward(ConstView dy, ConstView x, ConstView weight, ConstView mean, ConstView inverse_deviation,
                           View dx, View dweight, View dbias) override {
    cpu::layer_norm_backward(dy, x, weight, mean, inverse_deviation, dx, dweight, dbias);
  }
  void convolution(const ConvolutionArguments& arguments) override { cpu::convolution(arguments); }
  void convolution_backward_input(const ConvolutionBackwardInputArguments& arguments) override {
    cpu::convolution_backward_input(arguments);
  }
  void convolution_backward_weight(const ConvolutionBackwardWeightArguments& arguments) override {
    cpu::convolution_backward_weight(arguments);
  }
  void max_pool(ConstView x, const Windows& windows, View y, View index) override {
    cpu::max_pool(x, windows, y, index);
  }
  void max_pool_backward(ConstView dy, ConstView index, View dx) override { cpu::max_pool_backward(dy, index, dx); }
  void batch_norm(const BatchNormArguments& arguments) override { cpu::batch_norm(arguments); }
  void batch_norm_backward(const BatchNormBackwardArguments& arguments) override {
    cpu::batch_norm_backward(arguments);
  }
  void softmax(ConstView x, View y) override { cpu::softmax(x, y); }
  void softmax_backward(ConstView dy, ConstView y, View dx) override { cpu::softmax_backward(dy, y, dx); }
  void cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) override {
    cpu::cross_entropy(logits, targets, loss, log_sum_exp);
  }
  void cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss,
                              View dlogits) override {
    cpu::cross_entropy_backward(logits, targets, log_sum_exp, dloss, dlogits);
  }
  void normalize_rows(ConstView x, double epsilon, View y, View norm) override {
    cpu::normalize_rows(x, epsilon, y, norm);
  }
  void normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) override {
    cpu::normalize_rows_backward(dy, y, norm, epsilon, dx);
  }
  void gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) override {
    cpu::gradient_clip(gradients, max_norm, state);
  }
  void adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) override { cpu::adamw(segments, step); }
  void exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay) override {
    cpu::exponential_average(targets, sources, decay);
  }
};

}  // namespace

std::shared_ptr<Backend> make_cpu_backend() { return std::make_shared<CpuBackend>(); }

}  // namespace astroclip
