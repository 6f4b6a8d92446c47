#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "optim/adamw.h"
#include "probe/probes.h"

namespace astroclip::probe {

/// What a probe is that has weights to train.
struct Network {
  std::unique_ptr<nn::Module> module;
  /// [objects · vectors, columns] to [objects, outputs].
  std::function<Tensor(const Tensor& features)> forward;
  int64_t vectors = 1;  ///< rows of features that an object has
};

/// Features of rows of a sample, as many of each as the network takes.
using Features = std::function<Matrix(std::span<const int64_t> rows)>;

/// The training of a network on the labels of a sample.
class NetworkTraining {
 public:
  /// Keeps a reference to the sample. Initial weights and random streams are keyed by `name` and `seed`.
  NetworkTraining(const Sample& train, Features features, Network network, const MlpOptions& options,
                  const std::string& name, uint64_t seed);

  nn::Module& network() { return *network_.module; }
  /// One step of Adam on rows of the sample; gives their mean loss before it.
  double step(std::span<const int64_t> rows, uint64_t dropout_seed);
  /// The mean loss of rows without dropout.
  double loss(std::span<const int64_t> rows) const;
  /// All epochs.
  void run();
  /// Ends the training.
  std::unique_ptr<Probe> probe() &&;

 private:
  Tensor forward(std::span<const int64_t> rows) const;
  /// Labels of rows as the loss takes them.
  Matrix labels_of(std::span<const int64_t> rows) const;
  double sum_of_losses(std::span<const int64_t> rows) const;

  const Sample& train_;
  const Features features_;
  const MlpOptions options_;
  const uint64_t seed_;
  std::vector<double> mean_, deviation_;  ///< of each number; none of shares
  Network network_;
  std::unique_ptr<optim::Adamw> adam_;
};

/// The training of fit_mlp.
NetworkTraining mlp_training(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed);

}  // namespace astroclip::probe
