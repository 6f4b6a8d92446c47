#include "nn/dino_head.h"

#include <fmt/format.h>

#include "ops/operators.h"

namespace astroclip::nn {

namespace {

constexpr double smallest_norm = 1e-12;  // as in torch.nn.functional.normalize

}  // namespace

DinoHead::DinoHead(const Options& options) {
  int64_t in = options.in;
  for (int64_t i = 0; i < options.layers; ++i) {
    const int64_t out = i + 1 < options.layers ? options.hidden : options.bottleneck;
    mlp_.push_back(std::make_unique<Linear>(in, out, Init::truncated_normal(0.02)));
    child(fmt::format("mlp.{}", 2 * i), *mlp_.back());  // activations have an index, too
    in = out;
  }
  parameter("last_layer.weight_g", length_, {options.prototypes, 1}, Init::constant(1.0));
  parameter("last_layer.weight_v", direction_, {options.prototypes, in}, uniform_fan_in(in));
}

Tensor DinoHead::operator()(const Tensor& x) const {
  Tensor y = x;
  for (size_t i = 0; i < mlp_.size(); ++i) {
    const bool is_last = i + 1 == mlp_.size();
    y = (*mlp_[i])(y, {.activation = is_last ? Activation::none : Activation::gelu});
  }
  return ops::linear(ops::normalize_rows(y, smallest_norm), ops::weight_norm(direction_, length_, smallest_norm), {});
}

}  // namespace astroclip::nn
