#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "autograd/tape.h"
#include "base/rng.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "optim/adamw.h"
#include "probe/probes.h"

namespace astroclip::probe {

namespace {

Tensor as_tensor(const Matrix& matrix) {
  return Tensor::from_host(matrix.values, {matrix.rows, matrix.columns}, DType::f32, Device::host());
}

Matrix as_matrix(const Tensor& tensor) {
  const int64_t columns = tensor.size(tensor.rank() - 1);
  return {tensor.numel() / columns, columns, tensor.to_floats()};
}

/// Takes a share of the rows, at least one, out of `order`; none for a share of 0.
std::vector<int64_t> take_validation(std::vector<int64_t>& order, double share, uint64_t seed) {
  if (share == 0.0 || order.size() < 2) return {};
  const size_t kept =
      order.size() - std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(order.size())));
  std::vector<int64_t> shuffled = order;
  Rng(seed, RngStream::validation).shuffle(std::span(shuffled));
  order.assign(shuffled.begin(), shuffled.begin() + static_cast<std::ptrdiff_t>(kept));
  return {shuffled.begin() + static_cast<std::ptrdiff_t>(kept), shuffled.end()};
}

/// Keeps the weights with the least error on some rows.
class BestEpoch {
 public:
  BestEpoch(nn::Mlp& network, const Sample& train, const std::vector<int64_t>& rows)
      : network_(network), features_(select_rows(train.features, rows)) {
    for (const int64_t row : rows) labels_.push_back(train.labels[static_cast<size_t>(row)]);
  }

  /// After an epoch; labels were shifted by `mean` and scaled by 1 / `deviation`.
  void offer(double mean, double deviation) {
    if (labels_.empty()) return;
    const autograd::NoGrad guard;
    network_.set_training(false);
    const std::vector<double> predicted = network_(as_tensor(features_)).to_doubles();
    network_.set_training(true);
    double error = 0.0;
    for (size_t i = 0; i < labels_.size(); ++i) error += std::pow(predicted[i] - (labels_[i] - mean) / deviation, 2);
    if (error >= least_) return;
    least_ = error;
    weights_.clear();
    for (const NamedTensor& entry : network_.parameters()) weights_.push_back(entry.tensor.clone());
  }

  /// Gives the network the best weights, if there were any.
  void restore() {
    std::vector<NamedTensor> parameters = network_.parameters();
    for (size_t i = 0; i < weights_.size(); ++i) parameters[i].tensor.copy_from(weights_[i]);
  }

 private:
  nn::Mlp& network_;
  Matrix features_;
  std::vector<double> labels_;
  std::vector<Tensor> weights_;
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace

Fit mlp(const Sample& train, const Sample& test, const MlpOptions& options, const std::string& name, uint64_t seed) {
  const auto count = static_cast<int64_t>(train.labels.size());
  const double mean = std::accumulate(train.labels.begin(), train.labels.end(), 0.0) / static_cast<double>(count);
  double variance = 0.0;
  for (const double label : train.labels) variance += (label - mean) * (label - mean) / static_cast<double>(count);
  const double deviation = variance > 0.0 ? std::sqrt(variance) : 1.0;

  std::vector<int64_t> widths = options.hidden;
  widths.push_back(1);
  nn::Mlp network(train.features.columns, widths, {.dropout = options.dropout});
  network.materialize(Device::host(), seed, name);
  optim::Adamw adam(network.parameters(), {});
  network.set_training(true);
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  BestEpoch best(network, train, take_validation(order, options.validation, seed));
  const auto trained = static_cast<int64_t>(order.size());
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    Rng rng(seed, RngStream::probes, static_cast<uint64_t>(epoch));
    rng.shuffle(std::span(order));
    for (int64_t begin = 0; begin < trained; begin += options.batch) {
      const auto batch = std::span<const int64_t>(order).subspan(
          static_cast<size_t>(begin), static_cast<size_t>(std::min(options.batch, trained - begin)));
      Matrix labels{static_cast<int64_t>(batch.size()), 1};
      for (const int64_t row : batch) {
        labels.values.push_back(static_cast<float>((train.labels[static_cast<size_t>(row)] - mean) / deviation));
      }
      network.set_step_seed(rng.next());
      const Tensor error = network(as_tensor(select_rows(train.features, batch))) - as_tensor(labels);
      autograd::backward(ops::mean(ops::square(error)));
      adam.step({options.lr});
    }
    best.offer(mean, deviation);
  }
  best.restore();
  network.set_training(false);
  const autograd::NoGrad guard;
  Fit fit{network(as_tensor(test.features)).to_doubles(), {}};
  for (double& value : fit.predicted) value = value * deviation + mean;
  for (const NamedTensor& entry : network.parameters()) fit.fitted[entry.name] = as_matrix(entry.tensor);
  fit.fitted["label_mean"] = {1, 1, {static_cast<float>(mean)}};
  fit.fitted["label_deviation"] = {1, 1, {static_cast<float>(deviation)}};
  return fit;
}

}  // namespace astroclip::probe
