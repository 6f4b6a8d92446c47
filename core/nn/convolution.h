#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "nn/batch_norm.h"
#include "nn/module.h"
#include "ops/ops.h"

/// Convolutional layers with the parameter names of the corresponding layers of torch.nn; channels last.
namespace astroclip::nn {

struct ConvolutionOptions {
  int64_t in = 0, out = 0;
  int64_t window = 1;  ///< along each axis
  int64_t stride = 1, padding = 0;
  bool bias = true;
  std::optional<Init> weight = {};  ///< nullopt: the default of torch.nn, which biases always use
};

/// On images. Parameters: `weight` [out, in, window, window], `bias` [out].
class Conv2d final : public Module {
 public:
  explicit Conv2d(const ConvolutionOptions& options);
  /// x [B, H, W, in] → [B, H', W', out]
  Tensor operator()(const Tensor& x) const;

 private:
  friend class ConvNorm2d;
  ConvolutionOptions options_;
  Tensor weight_, bias_;
};

/// On sequences. Parameters: `weight` [out, in, window], `bias` [out].
class Conv1d final : public Module {
 public:
  explicit Conv1d(const ConvolutionOptions& options);
  /// x [B, L, in] → [B, L', out]
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionOptions options_;
  Tensor weight_, bias_;
};

/// Max pooling of a sequence x [B, L, C].
Tensor max_pool1d(const Tensor& x, int64_t window, int64_t stride, int64_t padding);

/// relu(norm(conv(x)) + residual) of a convolution without bias and a batch norm, each with its own name. A norm that
/// does not use batch statistics is folded into the convolution's weight.
class ConvNorm2d final : public Module {
 public:
  ConvNorm2d(const ConvolutionOptions& options, const std::string& convolution, const std::string& norm);
  /// x [B, H, W, in] → [B, H', W', out]; the residual may be undefined.
  Tensor operator()(const Tensor& x, bool relu, const Tensor& residual = {},
                    ops::Readers readers = ops::Readers::any) const;

 private:
  Conv2d convolution_;
  BatchNorm norm_;
};

/// x, times a learned `weight` [channels] where x is negative (He et al. 2015).
class PRelu final : public Module {
 public:
  explicit PRelu(int64_t channels);
  /// x [..., channels]
  Tensor operator()(const Tensor& x) const;

 private:
  Tensor weight_;
};

}  // namespace astroclip::nn
