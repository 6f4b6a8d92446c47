#include "nn/convolution.h"

#include <algorithm>

#include "autograd/tape.h"
#include "base/error.h"
#include "nn/layers.h"
#include "ops/operators.h"

namespace astroclip::nn {

Conv2d::Conv2d(const ConvolutionOptions& options) : options_(options) {
  const int64_t window = options.window;
  const Init start = uniform_fan_in(options.in * window * window);
  parameter("weight", weight_, {options.out, options.in, window, window}, options.weight.value_or(start));
  if (options.bias) parameter("bias", bias_, {options.out}, start);
}

Tensor Conv2d::operator()(const Tensor& x) const {
  const auto& o = options_;
  return ops::convolution(x, weight_, bias_, {.stride = {o.stride, o.stride}, .padding = {o.padding, o.padding}});
}

Conv1d::Conv1d(const ConvolutionOptions& options) : options_(options) {
  const Init start = uniform_fan_in(options.in * options.window);
  parameter("weight", weight_, {options.out, options.in, options.window}, options.weight.value_or(start));
  if (options.bias) parameter("bias", bias_, {options.out}, start);
}

Tensor Conv1d::operator()(const Tensor& x) const {
  const auto& o = options_;
  const Tensor weight = ops::reshape(weight_, {o.out, o.in, 1, o.window});
  const Tensor row = ops::reshape(x, {x.size(0), 1, x.size(1), x.size(2)});
  const Tensor y = ops::convolution(row, weight, bias_, {.stride = {1, o.stride}, .padding = {0, o.padding}});
  return ops::reshape(y, {y.size(0), y.size(2), y.size(3)});
}

Tensor max_pool1d(const Tensor& x, int64_t window, int64_t stride, int64_t padding) {
  const Tensor row = ops::reshape(x, {x.size(0), 1, x.size(1), x.size(2)});
  const Tensor y = ops::max_pool(row, {{1, window}, {1, stride}, {0, padding}});
  return ops::reshape(y, {y.size(0), y.size(2), y.size(3)});
}

BatchNorm::BatchNorm(int64_t channels, double epsilon, double momentum) : epsilon_(epsilon), momentum_(momentum) {
  parameter("weight", weight_, {channels}, Init::constant(1.0));
  parameter("bias", bias_, {channels}, Init::zeros());
  buffer("running_mean", running_mean_, {channels}, Init::zeros());
  buffer("running_var", running_var_, {channels}, Init::constant(1.0));
}

BatchNorm::Affine BatchNorm::affine() const {
  if (training() && weight_.requires_grad()) return {};
  const Tensor factor = weight_ / ops::sqrt(running_var_ + epsilon_);
  return {factor, bias_ - running_mean_ * factor};
}

Tensor BatchNorm::operator()(const Tensor& x) const {
  const Affine fixed = affine();
  if (fixed.factor.defined()) return x * fixed.factor + fixed.shift;
  const int64_t rows = x.numel() / x.size(-1);
  if (rows < 2) throw Error("[batch_norm] one row has no variance to train with; use larger batches");
  ops::BatchMoments moments;
  const Tensor y = ops::batch_norm(x, weight_, bias_, epsilon_, &moments);
  // The first pass of micro-batches runs without the tape; the second one updates the statistics.
  if (autograd::recording()) remember(moments, rows);
  return y;
}

void BatchNorm::remember(const ops::BatchMoments& moments, int64_t rows) const {
  const autograd::NoGrad no_grad;
  const auto count = static_cast<double>(rows);
  const Tensor unbiased = count / (count - 1.0) * moments.variance;
  const View targets[] = {running_mean_, running_var_};
  const ConstView sources[] = {moments.mean, unbiased};
  backend_of(running_mean_.device()).exponential_average(targets, sources, 1.0 - momentum_);
}

namespace {

ConvolutionOptions without_bias(ConvolutionOptions options) {
  options.bias = false;
  return options;
}

}  // namespace

ConvNorm2d::ConvNorm2d(const ConvolutionOptions& options, const std::string& convolution, const std::string& norm)
    : convolution_(without_bias(options)), norm_(options.out) {
  child(convolution, convolution_);
  child(norm, norm_);
}

Tensor ConvNorm2d::operator()(const Tensor& x, bool relu, const Tensor& residual) const {
  const BatchNorm::Affine fixed = norm_.affine();
  if (!fixed.factor.defined()) {
    const Tensor y = norm_(convolution_(x));
    const Tensor sum = residual.defined() ? y + residual : y;
    return relu ? ops::relu(sum) : sum;
  }
  const auto& o = convolution_.options_;
  const Tensor weight = convolution_.weight_ * ops::reshape(fixed.factor, {o.out, 1, 1, 1});
  return ops::convolution(
      x, weight, fixed.shift,
      {.stride = {o.stride, o.stride}, .padding = {o.padding, o.padding}, .relu = relu, .residual = residual});
}

PRelu::PRelu(int64_t channels) { parameter("weight", weight_, {channels}, Init::constant(0.25)); }

Tensor PRelu::operator()(const Tensor& x) const { return ops::relu(x) - weight_ * ops::relu(-x); }

}  // namespace astroclip::nn
