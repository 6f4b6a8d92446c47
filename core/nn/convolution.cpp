#include "nn/convolution.h"

#include <algorithm>

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

Tensor ConvNorm2d::operator()(const Tensor& x, bool relu, const Tensor& residual, ops::Readers readers) const {
  const BatchNorm::Affine fixed = norm_.affine();
  if (!fixed.factor.defined()) {
    const Tensor y = norm_(convolution_(x));
    const Tensor sum = residual.defined() ? y + residual : y;
    return relu ? ops::relu(sum) : sum;
  }
  const auto& o = convolution_.options_;
  const Tensor weight = convolution_.weight_ * ops::reshape(fixed.factor, {o.out, 1, 1, 1});
  return ops::convolution(x, weight, fixed.shift,
                          {.stride = {o.stride, o.stride},
                           .padding = {o.padding, o.padding},
                           .relu = relu,
                           .residual = residual,
                           .readers = readers});
}

PRelu::PRelu(int64_t channels) { parameter("weight", weight_, {channels}, Init::constant(0.25)); }

Tensor PRelu::operator()(const Tensor& x) const { return ops::relu(x) - weight_ * ops::relu(-x); }

}  // namespace astroclip::nn
