#include "backend/cpu/kernel.h"
#include "backend/cpu/onednn_convolution.h"
#include "backend/cpu/operand.h"

namespace astroclip::cpu {

namespace {

using onednn::ConvolutionSpec;
using onednn::Pass;

ConvolutionSpec spec_of(Pass pass, const Shape& x, int64_t out, const Windows& windows, Precision precision) {
  ConvolutionSpec spec;
  spec.pass = pass;
  spec.batch = x[0];
  spec.height = x[1];
  spec.width = x[2];
  spec.in = x[3];
  spec.out = out;
  spec.windows = windows;
  spec.operand = operand_of(precision);
  return spec;
}

void run(const ConvolutionSpec& spec, const void* a, const void* b, void* c, const float* bias) {
  const auto convolution = onednn::convolution_of(spec);
  const Scratch scratch(convolution->scratch_bytes());
  convolution->run(a, b, c, bias, scratch.data());
}

}  // namespace

void CpuBackend::convolution(const ConvolutionArguments& a) {
  for (const ConstView& view : {a.x, ConstView(a.y)}) expect_stored(view, stored_dtype(a.precision), "convolution");
  if (a.y.numel() == 0) return;
  if (a.x.numel() == 0) {  // without channels, which oneDNN refuses
    ConvolutionArguments one = a;
    const Tensor x = Tensor::zeros(a.x.shape.with(3, 1), DType::f32, Device::host()),
                 weight = Tensor::zeros(a.weight.shape.with(1, 1), DType::f32, Device::host());
    one.x = x;
    one.weight = weight;
    return convolution(one);
  }
  ConvolutionSpec spec = spec_of(Pass::forward, a.x.shape, a.weight.shape[0], a.windows, a.precision);
  spec.bias = static_cast<bool>(a.bias);
  spec.adds = static_cast<bool>(a.residual);
  spec.result = a.y.dtype;
  if (a.residual) cast(a.residual, a.y);
  run(spec, Operand(a.x, spec.operand).data(), a.weight.data, a.y.data, a.bias.as<float>());
  if (!a.relu) return;  // Not by oneDNN, whose ReLU makes 0 of a NaN.
  if (a.y.dtype == DType::bf16) return activate(Activation::relu, a.y.as<BFloat16>(), a.y.as<BFloat16>(), a.y.numel());
  activate(Activation::relu, a.y.as<float>(), nullptr, a.y.as<float>(), a.y.numel());
}

void CpuBackend::convolution_backward_input(const ConvolutionBackwardInputArguments& a) {
  expect_f32(a.dy, "convolution_backward_input");
  if (a.dx.numel() == 0) return;
  if (a.dy.numel() == 0) return fill(a.dx, 0.0);
  const auto spec = spec_of(Pass::backward_input, a.dx.shape, a.weight.shape[0], a.windows, a.precision);
  run(spec, Operand(a.dy, spec.operand).data(), a.weight.data, a.dx.data, nullptr);
}

void CpuBackend::convolution_backward_weight(const ConvolutionBackwardWeightArguments& a) {
  expect_f32(a.dy, "convolution_backward_weight");
  const int64_t out = a.dweight.shape[0];
  if (a.dbias) sum_columns(a.dy.as<float>(), rows_of(a.dy.shape), out, a.dbias.as<float>());
  if (a.dweight.numel() == 0) return;
  if (a.dy.numel() == 0) return fill(a.dweight, 0.0);
  const auto spec = spec_of(Pass::backward_weight, a.x.shape, out, a.windows, a.precision);
  const Operand dy(a.dy, spec.operand), x(a.x, spec.operand);
  run(spec, dy.data(), x.data(), a.dweight.data, nullptr);
}

}  // namespace astroclip::cpu
