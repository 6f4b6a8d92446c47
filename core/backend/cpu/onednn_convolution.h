#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"

/// Convolutions by oneDNN.
namespace astroclip::cpu::onednn {

enum class Pass { forward, backward_input, backward_weight };

/// x [batch, height, width, in], weight [out, in, window], y [batch, windows, out], see ConvolutionArguments.
struct ConvolutionSpec {
  Pass pass = Pass::forward;
  int64_t batch = 0, height = 0, width = 0, in = 0, out = 0;
  Windows windows;
  DType operand = DType::f32;  ///< of activations and, inside, of weights: f32 or bf16
  DType result = DType::f32;   ///< of c in the forward pass: f32 or bf16
  bool bias = false;           ///< forward only, as the next
  bool adds = false;           ///< to what stands in c
  bool operator==(const ConvolutionSpec&) const = default;
};

/// A convolution ready to run, any number of times.
class Convolution {
 public:
  virtual ~Convolution() = default;
  virtual int64_t scratch_bytes() const = 0;
  /// forward: a is x, b the weight, c y; backward_input: dy, the weight, dx; backward_weight: dy, x, dweight. Weights
  /// and gradients in c are float32, activations spec.operand.
  virtual void run(const void* a, const void* b, void* c, const float* bias, void* scratch) const = 0;
};

/// Kept by its spec, so that asking again is a look-up; not to be called inside a parallel region.
std::shared_ptr<const Convolution> convolution_of(const ConvolutionSpec& spec);

}  // namespace astroclip::cpu::onednn
