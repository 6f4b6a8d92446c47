#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "optim/adamw.h"
#include "probe/densities.h"
#include "probe/probes.h"
#include "probe/spline_flow.h"

namespace astroclip::probe {

/// How an ensemble of conditional flows is trained; the defaults are AstroCLIP's.
struct PosteriorOptions {
  FlowKind flow = FlowKind::elementwise;
  int64_t members = 10;
  int64_t bins = 8;
  int64_t min_layers = 2, max_layers = 3;  ///< between which a member's number is drawn
  int64_t hidden = 32;                     ///< largest width of its networks; drawn, log-uniformly, from half of it on
  int64_t epochs = 25;                     ///< with a cosine from `lr` to 1e-6
  int64_t batch = 128;
  double lr = 5e-4;
  double validation = 0.2;  ///< share of the training objects whose loss chooses or ends the training's epochs
  bool keeps_best = true;   ///< all epochs, and the weights of that with the least of these losses; else, as published,
                            ///< a risen loss ends the training, and the last weights are kept
};

/// The training of one flow by Adam on the mean of −log density over objects and labels.
class FlowTraining {
 public:
  /// Keeps a reference to the flow.
  explicit FlowTraining(SplineFlow& flow);
  /// Labels [rows, labels] given context [rows, width]; gives the loss before the step.
  double step(const Tensor& labels, const Tensor& context, double learning_rate);
  double loss(const Tensor& labels, const Tensor& context) const;

 private:
  SplineFlow& flow_;
  optim::Adamw adam_;
};

/// Densities of labels given vectors: the mean of an ensemble's. Labels are standardised by mean and deviation (divisor
/// n − 1) of the training objects. Tensors "members.N.…" and "label_mean", "label_deviation" [labels].
class Posterior final : public Probe {
 public:
  Posterior(std::vector<std::unique_ptr<SplineFlow>> members, std::vector<double> mean, std::vector<double> deviation);

  /// [rows, labels · 3]: the quantiles of each label at 16, 50 and 84 %, of 256 samples, evenly spread ones of the
  /// latent values that are the same for all rows.
  std::vector<double> predict(const Matrix& features) const override;
  std::vector<NamedTensor> tensors() const override;

  int64_t labels() const { return static_cast<int64_t>(mean_.size()); }
  /// Of the training labels, by which they are standardised.
  const std::vector<double>& deviation() const { return deviation_; }
  /// By member, log densities of standardised labels [rows, labels] as SplineFlow::log_density gives them.
  std::vector<std::vector<double>> log_densities(const Matrix& features, std::span<const double> truth) const;
  /// Of each label by itself, on `points` points from its `low` to its `high`. Those of a flow that is joint are kernel
  /// densities of 256 samples, beside the training labels' normal with the weight of one sample.
  std::vector<Densities> marginals(const Matrix& features, std::span<const double> low, std::span<const double> high,
                                   int64_t points) const;

 private:
  /// [rows, samples, labels], in the labels' units.
  std::vector<double> samples(const Matrix& features) const;
  /// Of each label's marginals, [labels][rows, points], of standardised labels on grids.
  std::vector<std::vector<double>> elementwise(const Matrix& features,
                                               const std::vector<std::vector<double>>& grids) const;

  std::vector<std::unique_ptr<SplineFlow>> members_;
  std::vector<double> mean_, deviation_;
};

/// `name` and `seed` key the random streams. Labels [objects, outputs] are numbers. Throws Error when a coupling flow
/// has but one label.
std::unique_ptr<Posterior> fit_posterior(const Sample& train, const PosteriorOptions& options, const std::string& name,
                                         uint64_t seed);

/// "elementwise_flow" …: the method in a file of a probe.
std::string flow_method(FlowKind kind);

/// What Posterior::predict gives of a label.
inline constexpr double posterior_quantiles[] = {0.16, 0.5, 0.84};
/// Their names: "redshift 16 %" …
std::vector<std::string> quantile_names(const std::vector<std::string>& labels);

}  // namespace astroclip::probe
