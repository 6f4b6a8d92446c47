#include <array>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

/// [batch, windows along height, windows along width, channels]. Throws Error if a window does not fit.
Shape windowed(const char* op, const Tensor& x, const Windows& windows, int64_t channels) {
  for (const size_t axis : {size_t{0}, size_t{1}}) {
    const int64_t extent = x.size(static_cast<int>(axis) + 1);
    const bool fits = windows.size[axis] >= 1 && windows.stride[axis] >= 1 && windows.padding[axis] >= 0 &&
                      windows.size[axis] <= extent + 2 * windows.padding[axis];
    if (fits) continue;
    refuse(op, "windows of {} positions, {} apart, do not lie on an axis of {} with {} beyond each end",
           windows.size[axis], windows.stride[axis], extent, windows.padding[axis]);
  }
  return {x.size(0), windows.count(0, x.size(1)), windows.count(1, x.size(2)), channels};
}

/// Saved for backward; tensors are detached.
struct SavedConvolution {
  Tensor x, weight, y;  ///< y only with relu
  Windows windows;
  Precision precision;
  bool needs_x, needs_weight, needs_bias;
};

std::vector<Tensor> convolution_gradients(const SavedConvolution& saved, const Tensor& dy) {
  Backend& backend = backend_of(dy.device());
  Tensor inner = dy;
  if (saved.y.defined()) {
    inner = like(dy);
    backend.unary_backward(UnaryOp::relu, saved.y, saved.y, dy, inner);  // y is positive where its input was
  }
  std::vector<Tensor> gradients(4);
  if (saved.needs_x) {
    gradients[0] = like(saved.x);
    backend.convolution_backward_input({inner, saved.weight, saved.windows, gradients[0], saved.precision});
  }
  if (saved.needs_weight || saved.needs_bias) {
    gradients[1] = like(saved.weight);
    if (saved.needs_bias) gradients[2] = like(dy, {dy.size(3)});
    backend.convolution_backward_weight(
        {inner, saved.x, saved.windows, gradients[1], saved.needs_bias ? View(gradients[2]) : View(), saved.precision});
    if (!saved.needs_weight) gradients[1] = {};
  }
  gradients[3] = inner;  // the residual's
  return gradients;
}

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionOptions& options) {
  const Precision precision = current_precision();
  const DType stored = backend_of(x.device()).stored_dtype(precision);
  Backend& backend = enter("convolution", {&x, &options.residual, &weight, &bias}, stored, 2);
  if (x.rank() != 4 || weight.rank() != 4 || x.size(3) != weight.size(1)) {
    refuse("convolution",
           "x [batch, height, width, in] and weight [out, in, height, width] must agree, found {} and {}",
           x.shape().str(), weight.shape().str());
  }
  if (bias.defined() && bias.shape() != Shape{weight.size(0)}) {
    refuse("convolution", "bias must be [{}], found {}", weight.size(0), bias.shape().str());
  }
  const Windows windows{{weight.size(2), weight.size(3)}, options.stride, options.padding};
  const Shape result = windowed("convolution", x, windows, weight.size(0));
  if (options.residual.defined() && options.residual.shape() != result) {
    refuse("convolution", "the residual must be {}, found {}", result.str(), options.residual.shape().str());
  }
  const bool records = autograd::needs_gradient({&x, &weight, &bias, &options.residual});
  const DType dtype = dtype_for(records ? Readers::any : options.readers, x);
  Tensor y = Tensor::empty(result, dtype, x.device());
  backend.convolution({.x = x,
                       .weight = weight,
                       .bias = optional_view(bias),
                       .windows = windows,
                       .residual = optional_view(options.residual),
                       .relu = options.relu,
                       .y = y,
                       .precision = precision});
  if (!records) return y;
  const SavedConvolution saved{x.detach(),
                               weight.detach(),
                               options.relu ? y.detach() : Tensor(),
                               windows,
                               precision,
                               x.requires_grad(),
                               weight.requires_grad(),
                               bias.requires_grad()};
  return autograd::record("convolution", y, {x, weight, bias, options.residual},
                          [saved](const Tensor& dy) { return convolution_gradients(saved, dy); });
}

Tensor max_pool(const Tensor& x, const Windows& windows) {
  Backend& backend = enter("max_pool", {&x}, backend_of(x.device()).stored_dtype(current_precision()));
  if (x.rank() != 4) refuse("max_pool", "x must be [batch, height, width, channels], found {}", x.shape().str());
  const Shape shape = windowed("max_pool", x, windows, x.size(3));
  for (const size_t axis : {size_t{0}, size_t{1}}) {  // otherwise a window could lie completely outside
    if (2 * windows.padding[axis] <= windows.size[axis]) continue;
    refuse("max_pool", "at most half a window of {} may lie beyond the border, found a padding of {}",
           windows.size[axis], windows.padding[axis]);
  }
  Tensor y = like(x, shape);
  const bool records = autograd::needs_gradient({&x});
  Tensor index = records ? Tensor::empty(shape, DType::i64, x.device()) : Tensor();
  backend.max_pool(x, windows, y, records ? View(index) : View());
  if (!records) return y;
  return autograd::record("max_pool", y, {x}, [index, from = x.shape()](const Tensor& dy) {
    Tensor dx = like(dy, from);
    backend_of(dy.device()).max_pool_backward(dy, index, dx);
    return std::vector<Tensor>{dx};
  });
}

}  // namespace astroclip::ops
