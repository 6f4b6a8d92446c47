#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "optim/adamw.h"
#include "probe/probes.h"

namespace astroclip::probe {

/// The training of an MLP probe.
class MlpTraining {
 public:
  /// Keeps a reference to the sample.
  MlpTraining(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed);

  nn::Mlp& network() { return *network_; }
  /// One step of Adam on rows of the sample; gives their mean loss before it.
  double step(std::span<const int64_t> rows, uint64_t dropout_seed);
  /// The mean loss of rows without dropout.
  double loss(std::span<const int64_t> rows) const;
  /// All epochs.
  void run();
  /// Ends the training.
  std::unique_ptr<Probe> probe() &&;

 private:
  /// Labels of rows as the loss takes them.
  Matrix labels_of(std::span<const int64_t> rows) const;

  const Sample& train_;
  const MlpOptions options_;
  const uint64_t seed_;
  std::vector<double> mean_, deviation_;  ///< of each number; none of shares
  std::unique_ptr<nn::Mlp> network_;
  std::unique_ptr<optim::Adamw> adam_;
};

}  // namespace astroclip::probe
