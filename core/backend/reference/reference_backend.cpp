#include "backend/reference/reference_backend.h"

#include "backend/host_backend.h"
#include "backend/reference/kernels_internal.h"

namespace astroclip {

namespace {

class ReferenceBackend final : public HostBackend {
 public:
  std::string_view name() const override { return "reference"; }
  DType compute_dtype() const override { return DType::f64; }
  bool supports(Precision precision) const override { return precision == Precision::f32; }

  std::shared_ptr<Prepared> prepare(ConstView, WeightUse, Precision, int64_t) override { return nullptr; }

  void fill(View y, double value) override { reference::fill(y, value); }
  void cast(ConstView x, View y) override { reference::cast(x, y); }
  void unary(UnaryOp op, ConstView x, View y) override { reference::unary(op, x, y); }
  void unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) override {
    reference::unary_backward(op, x, y, dy, dx);
  }
  void binary(BinaryOp op, ConstView a, ConstView b, View y) override { reference::binary(op, a, b, y); }
  void scale_add(double alpha, ConstView x, double beta, double gamma, View y) override {
    reference::scale_add(alpha, x, beta, gamma, y);
  }
  void dropout(ConstView x, double p, uint64_t seed, View y) override { reference::dropout(x, p, seed, y); }
  void permute(ConstView x, std::span<const int> order, View y) override { reference::permute(x, order, y); }
  void copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows, DType dtype,
                   bool accumulate) override {
    reference::copy_blocks(x, x_pitch, y, y_pitch, width, rows, dtype, accumulate);
  }
  void gather_rows(ConstView x, ConstView index, View y) override { reference::gather_rows(x, index, y); }
  void scatter_add_rows(ConstView dy, ConstView index, View dx) override { reference::scatter_add_rows(dy, index, dx); }
  void reduce(ReduceOp op, ConstView x, View y) override { reference::reduce(op, x, y); }
  void matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) override {
    reference::matmul(a, transpose_a, b, transpose_b, alpha, c);
  }
  void linear(const LinearArguments& arguments) override { reference::linear(arguments); }
  void linear_backward_input(const LinearBackwardInputArguments& arguments) override {
    reference::linear_backward_input(arguments);
  }
  void linear_backward_weight(const LinearBackwardWeightArguments& arguments) override {
    reference::linear_backward_weight(arguments);
  }
  void attention(const AttentionArguments& arguments) override { reference::attention(arguments); }
  void attention_backward(const AttentionBackwardArguments& arguments) override {
    reference::attention_backward(arguments);
  }
  void layer_norm(ConstView x, ConstView weight, ConstView bias, double epsilon, View y, View mean,
                  View inverse_deviation) override {
    reference::layer_norm(x, weight, bias, epsilon, y, mean, inverse_deviation);
  }
  void layer_norm_backward(ConstView dy, ConstView x, ConstView weight, ConstView mean, ConstView inverse_deviation,
                           View dx, View dweight, View dbias) override {
    reference::layer_norm_backward(dy, x, weight, mean, inverse_deviation, dx, dweight, dbias);
  }
  void convolution(const ConvolutionArguments& arguments) override { reference::convolution(arguments); }
  void convolution_backward_input(const ConvolutionBackwardInputArguments& arguments) override {
    reference::convolution_backward_input(arguments);
  }
  void convolution_backward_weight(const ConvolutionBackwardWeightArguments& arguments) override {
    reference::convolution_backward_weight(arguments);
  }
  void max_pool(ConstView x, const Windows& windows, View y, View index) override {
    reference::max_pool(x, windows, y, index);
  }
  void max_pool_backward(ConstView dy, ConstView index, View dx) override {
    reference::max_pool_backward(dy, index, dx);
  }
  void batch_norm(const BatchNormArguments& arguments) override { reference::batch_norm(arguments); }
  void batch_norm_backward(const BatchNormBackwardArguments& arguments) override {
    reference::batch_norm_backward(arguments);
  }
  void softmax(ConstView x, View y) override { reference::softmax(x, y); }
  void softmax_backward(ConstView dy, ConstView y, View dx) override { reference::softmax_backward(dy, y, dx); }
  void cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) override {
    reference::cross_entropy(logits, targets, loss, log_sum_exp);
  }
  void cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss,
                              View dlogits) override {
    reference::cross_entropy_backward(logits, targets, log_sum_exp, dloss, dlogits);
  }
  void normalize_rows(ConstView x, double epsilon, View y, View norm) override {
    reference::normalize_rows(x, epsilon, y, norm);
  }
  void normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) override {
    reference::normalize_rows_backward(dy, y, norm, epsilon, dx);
  }
  void gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) override {
    reference::gradient_clip(gradients, max_norm, state);
  }
  void adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) override {
    reference::adamw(segments, step);
  }
  void exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay) override {
    reference::exponential_average(targets, sources, decay);
  }
};

}  // namespace

std::shared_ptr<Backend> make_reference_backend() { return std::make_shared<ReferenceBackend>(); }

}  // namespace astroclip
