#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"
#include "probe/spline.h"

namespace astroclip::probe {

enum class FlowKind {
  elementwise,     ///< each label by itself (pyro's conditional splines, as in the published posteriors)
  coupling,        ///< half of the labels given the others, by turns (nflows)
  autoregressive,  ///< each label given those before it, in both orders by turns (zuko's NSF)
};

/// "elementwise", "coupling", "autoregressive".
std::string name_of(FlowKind kind);

struct FlowOptions {
  FlowKind kind = FlowKind::elementwise;
  int64_t labels = 1;
  int64_t context = 1;  ///< width of what the density is conditional on
  int64_t layers = 3;
  int64_t bins = 8;
  std::vector<int64_t> hidden = {32, 32, 32};  ///< of the networks that make the splines
};

/// A conditional density of labels: layers of rational-quadratic splines (Durkan et al. 2019) between them and
/// independent standard normals, the latent values. Parameters are "LAYER.nn.layers.N.weight" and ".bias".
class SplineFlow final : public nn::Module {
 public:
  explicit SplineFlow(const FlowOptions& options);
  ~SplineFlow() override;

  struct Latent {
    Tensor values;     ///< [rows · r, labels]
    Tensor log_slope;  ///< [rows · r, labels]: log |d latent / d label|, summed over layers
  };
  /// Labels [rows · r, labels] given context [rows, context]: r in a row for each; other kinds than elementwise take r
  /// = 1 alone.
  Latent latent(const Tensor& labels, const Tensor& context) const;
  /// [rows · r, labels]: log densities, of each label by itself in an elementwise flow. Their sum over labels is the
  /// log density of all together.
  Tensor log_density(const Tensor& labels, const Tensor& context) const;
  /// Latent values [rows · r, labels] to labels, without a tape.
  Tensor sample(const Tensor& latent, const Tensor& context) const;

  const FlowOptions& options() const { return options_; }

 private:
  class Layer;
  FlowOptions options_;
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace astroclip::probe
