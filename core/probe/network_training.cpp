#include "probe/network_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/rng.h"
#include "ops/operators.h"
#include "probe/best_epoch.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

namespace {

Tensor as_tensor(const Matrix& matrix) {
  return Tensor::from_host(matrix.values, {matrix.rows, matrix.columns}, DType::f32, Device::host());
}

class NetworkProbe final : public Probe {
 public:
  /// Mean and deviation are of numbers; empty for shares.
  NetworkProbe(Network network, std::vector<double> mean, std::vector<double> deviation)
      : network_(std::move(network)), mean_(std::move(mean)), deviation_(std::move(deviation)) {
    network_.module->set_training(false);
  }

  int64_t vectors() const override { return network_.vectors; }

  std::vector<double> predict(const Matrix& features) const override {
    if (features.rows % vectors() != 0) {
      throw Error(fmt::format("the probe takes {} vectors of each object, found {} of all", vectors(), features.rows));
    }
    const autograd::NoGrad guard;
    const Tensor found = network_.forward(as_tensor(features));
    if (mean_.empty()) return ops::softmax(found).to_doubles();
    std::vector<double> numbers = found.to_doubles();
    for (size_t i = 0; i < numbers.size(); ++i) {
      const size_t output = i % mean_.size();
      numbers[i] = numbers[i] * deviation_[output] + mean_[output];
    }
    return numbers;
  }

  std::vector<NamedTensor> tensors() const override {
    std::vector<NamedTensor> all = network_.module->state();
    if (mean_.empty()) return all;
    all.push_back({"label_mean", as_vector(mean_)});
    all.push_back({"label_deviation", as_vector(deviation_)});
    return all;
  }

 private:
  Network network_;
  std::vector<double> mean_, deviation_;
};

/// Draws rows with replacement, each as likely as the largest share of its object.
class DrawsByShare {
 public:
  DrawsByShare(const Sample& train, const std::vector<int64_t>& rows) : rows_(rows) {
    double sum = 0.0;
    for (const int64_t row : rows) {
      const auto shares =
          std::span(train.labels).subspan(static_cast<size_t>(row * train.outputs), static_cast<size_t>(train.outputs));
      up_to_.push_back(sum += std::ranges::max(shares));
    }
  }

  std::vector<int64_t> operator()(Rng& rng) const {
    std::vector<int64_t> drawn;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const auto found = std::ranges::upper_bound(up_to_, rng.uniform(0.0, up_to_.back()));
      const auto place = std::min(static_cast<size_t>(found - up_to_.begin()), rows_.size() - 1);
      drawn.push_back(rows_[place]);
    }
    return drawn;
  }

 private:
  const std::vector<int64_t>& rows_;
  std::vector<double> up_to_;
};

}  // namespace

NetworkTraining::NetworkTraining(const Sample& train, Features features, Network network, const MlpOptions& options,
                                 const std::string& name, uint64_t seed)
    : train_(train), features_(std::move(features)), options_(options), seed_(seed), network_(std::move(network)) {
  const auto count = static_cast<double>(train.size());
  const auto outputs = static_cast<size_t>(train.outputs);
  for (size_t output = 0; train.target == Target::numbers && output < outputs; ++output) {
    double sum = 0.0, variance = 0.0;
    for (size_t i = output; i < train.labels.size(); i += outputs) sum += train.labels[i];
    const double mean = sum / count;
    for (size_t i = output; i < train.labels.size(); i += outputs) {
      variance += (train.labels[i] - mean) * (train.labels[i] - mean) / count;
    }
    mean_.push_back(mean);
    deviation_.push_back(variance > 0.0 ? std::sqrt(variance) : 1.0);
  }
  network_.module->materialize(Device::host(), seed, name);
  network_.module->set_training(true);
  adam_ = std::make_unique<optim::Adamw>(network_.module->parameters(), optim::Optimizer::Options{});
}

Tensor NetworkTraining::forward(std::span<const int64_t> rows) const {
  return network_.forward(as_tensor(features_(rows)));
}

Matrix NetworkTraining::labels_of(std::span<const int64_t> rows) const {
  const auto outputs = static_cast<size_t>(train_.outputs);
  Matrix labels{static_cast<int64_t>(rows.size()), train_.outputs};
  for (const int64_t row : rows) {
    for (size_t output = 0; output < outputs; ++output) {
      double label = train_.labels[static_cast<size_t>(row) * outputs + output];
      if (!mean_.empty()) label = (label - mean_[output]) / deviation_[output];
      labels.values.push_back(static_cast<float>(label));
    }
  }
  return labels;
}

double NetworkTraining::step(std::span<const int64_t> rows, uint64_t dropout_seed) {
  network_.module->set_step_seed(dropout_seed);
  const Tensor found = forward(rows);
  const Tensor labels = as_tensor(labels_of(rows));
  Tensor loss;
  if (train_.target == Target::numbers) {
    loss = ops::mean(ops::square(found - labels));
  } else {
    const Tensor logits = options_.softmax_twice ? ops::softmax(found) : found;
    const Tensor log_sum = ops::reshape(ops::log_sum_exp(logits), {logits.size(0), 1});
    loss = ops::mean(ops::sum(labels * (log_sum - logits), {-1}));
  }
  autograd::backward(loss);
  adam_->step({options_.lr});
  return loss.item();
}

double NetworkTraining::sum_of_losses(std::span<const int64_t> rows) const {
  Tensor found = forward(rows);
  if (options_.softmax_twice) found = ops::softmax(found);
  const std::vector<double> values = found.to_doubles();
  const auto outputs = static_cast<size_t>(train_.outputs);
  double sum = 0.0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double* of_row = values.data() + i * outputs;
    const double* labels = train_.labels.data() + static_cast<size_t>(rows[i]) * outputs;
    const double largest = *std::max_element(of_row, of_row + outputs);
    double exponentials = 0.0;
    for (size_t output = 0; output < outputs; ++output) exponentials += std::exp(of_row[output] - largest);
    for (size_t output = 0; output < outputs; ++output) {
      sum += mean_.empty() ? labels[output] * (largest + std::log(exponentials) - of_row[output])
                           : std::pow(of_row[output] - (labels[output] - mean_[output]) / deviation_[output], 2);
    }
  }
  return sum;
}

double NetworkTraining::loss(std::span<const int64_t> rows) const {
  const autograd::NoGrad guard;
  network_.module->set_training(false);
  const size_t at_once = network_.vectors == 1 ? rows.size() : static_cast<size_t>(options_.batch);
  double sum = 0.0;
  for (size_t begin = 0; begin < rows.size(); begin += at_once) {
    sum += sum_of_losses(rows.subspan(begin, std::min(at_once, rows.size() - begin)));
  }
  network_.module->set_training(true);
  return sum / static_cast<double>(rows.size() * (mean_.empty() ? 1 : mean_.size()));
}

void NetworkTraining::run() {
  std::vector<int64_t> order(static_cast<size_t>(train_.size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  const std::vector<int64_t> set_apart = take_validation(order, options_.validation, seed_);
  const bool has_best = options_.keeps_best && !set_apart.empty();
  BestEpoch best(network_.module->parameters());
  std::optional<DrawsByShare> draws;
  if (options_.draws_by_share) draws.emplace(train_, order);
  const auto count = static_cast<int64_t>(order.size());
  for (int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
    Rng rng(seed_, RngStream::probes, static_cast<uint64_t>(epoch));
    if (!draws) rng.shuffle(std::span(order));
    const std::vector<int64_t> rows = draws ? (*draws)(rng) : order;
    for (int64_t begin = 0; begin < count; begin += options_.batch) {
      const auto size = static_cast<size_t>(std::min(options_.batch, count - begin));
      const auto batch = std::span<const int64_t>(rows).subspan(static_cast<size_t>(begin), size);
      step(batch, rng.next());
    }
    if (has_best) best.offer(loss(set_apart));
  }
  best.restore();
}

std::unique_ptr<Probe> NetworkTraining::probe() && {
  return std::make_unique<NetworkProbe>(std::move(network_), std::move(mean_), std::move(deviation_));
}

std::unique_ptr<Probe> restore_network(Network network, const Tensors& tensors, Target target) {
  network.module->materialize_empty(Device::host());
  std::vector<NamedTensor> all;
  for (const auto& [name, tensor] : tensors) all.push_back({name, tensor});
  const nn::LoadReport report = nn::load_state(network.module->state(), all);
  if (!report.missing.empty()) throw Error(fmt::format("the probe has no tensor '{}'", report.missing.front()));
  if (!report.complete()) throw Error(fmt::format("the probe's layers do not fit: {}", report.misshapen.front()));
  if (target == Target::shares)
    return std::make_unique<NetworkProbe>(std::move(network), std::vector<double>(), std::vector<double>());
  return std::make_unique<NetworkProbe>(std::move(network), tensor_of(tensors, "label_mean", 1).to_doubles(),
                                        tensor_of(tensors, "label_deviation", 1).to_doubles());
}

}  // namespace astroclip::probe
