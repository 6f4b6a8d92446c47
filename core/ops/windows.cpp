#include <array>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

/// [batch, windows along height, windows along width, channels]; an error where a window does not fit.
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

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const WindowSteps& steps) {
  Backend& backend = enter("convolution", {&x, &weight, &bias});
  if (x.rank() != 4 || weight.rank() != 4 || x.size(3) != weight.size(1)) {
    refuse("convolution",
           "x [batch, height, width, in] and weight [out, in, height, width] must agree, found {} and {}",
           x.shape().str(), weight.shape().str());
  }
  if (bias.defined() && bias.shape() != Shape{weight.size(0)}) {
    refuse("convolution", "bias must be [{}], found {}", weight.size(0), bias.shape().str());
  }
  const Windows windows{{weight.size(2), weight.size(3)}, steps.stride, steps.padding};
  const Precision precision = current_precision();
  Tensor y = like(x, windowed("convolution", x, windows, weight.size(0)));
  backend.convolution({x, weight, bias.defined() ? ConstView(bias) : ConstView(), windows, y, precision});
  const bool needs_x = x.requires_grad(), needs_bias = bias.requires_grad();
  const bool needs_weight = weight.requires_grad() || needs_bias;
  return autograd::record("convolution", y, {x, weight, bias},
                          [=, x = x.detach(), weight = weight.detach()](const Tensor& dy) {
                            Backend& device = backend_of(dy.device());
                            std::vector<Tensor> gradients(3);
                            if (needs_x) {
                              gradients[0] = like(x);
                              device.convolution_backward_input({dy, weight, windows, gradients[0], precision});
                            }
                            if (needs_weight) {
                              gradients[1] = like(weight);
                              if (needs_bias) gradients[2] = like(dy, {dy.size(3)});
                              device.convolution_backward_weight(
                                  {dy, x, windows, gradients[1], needs_bias ? View(gradients[2]) : View(), precision});
                            }
                            return gradients;
                          });
}

Tensor max_pool(const Tensor& x, const Windows& windows) {
  Backend& backend = enter("max_pool", {&x});
  if (x.rank() != 4) refuse("max_pool", "x must be [batch, height, width, channels], found {}", x.shape().str());
  const Shape shape = windowed("max_pool", x, windows, x.size(3));
  for (const size_t axis : {size_t{0}, size_t{1}}) {  // or a window could lie beyond the border
    if (2 * windows.padding[axis] <= windows.size[axis]) continue;
    refuse("max_pool", "at most half a window of {} may lie beyond the border, found a padding of {}",
           windows.size[axis], windows.padding[axis]);
  }
  Tensor y = like(x, shape);
  Tensor index = Tensor::empty(shape, DType::i64, x.device());
  backend.max_pool(x, windows, y, index);
  return autograd::record("max_pool", y, {x}, [index, from = x.shape()](const Tensor& dy) {
    Tensor dx = like(dy, from);
    backend_of(dy.device()).max_pool_backward(dy, index, dx);
    return std::vector<Tensor>{dx};
  });
}

}  // namespace astroclip::ops
