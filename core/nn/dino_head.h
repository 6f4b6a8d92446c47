#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nn/layers.h"

namespace astroclip::nn {

/// The projection head of DINO and iBOT (Caron et al. 2021; Oquab et al. 2023) under its published names: an MLP
/// `mlp.0`, `mlp.2`, `mlp.4` with GELU, L2 normalisation, and a product with weight-normalised prototypes: direction
/// `last_layer.weight_v` [prototypes, bottleneck], norm `last_layer.weight_g` [prototypes, 1].
class DinoHead final : public Module {
 public:
  struct Options {
    int64_t in = 0;
    int64_t prototypes = 65536;
    int64_t hidden = 2048;
    int64_t bottleneck = 256;
    int64_t layers = 3;
  };
  explicit DinoHead(const Options& options);
  /// x [..., in] → [..., prototypes]
  Tensor operator()(const Tensor& x) const;

 private:
  std::vector<std::unique_ptr<Linear>> mlp_;
  Tensor length_, direction_;
};

}  // namespace astroclip::nn
