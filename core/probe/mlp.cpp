#include "probe/mlp.h"

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

class MlpProbe final : public Probe {
 public:
  /// Mean and deviation are of numbers; empty for shares.
  MlpProbe(std::unique_ptr<nn::Mlp> network, std::vector<double> mean, std::vector<double> deviation)
      : network_(std::move(network)), mean_(std::move(mean)), deviation_(std::move(deviation)) {
    network_->set_training(false);
  }

  std::vector<double> predict(const Matrix& features) const override {
    const autograd::NoGrad guard;
    const Tensor found = (*network_)(as_tensor(features));
    if (mean_.empty()) return ops::softmax(found).to_doubles();
    std::vector<double> numbers = found.to_doubles();
    for (size_t i = 0; i < numbers.size(); ++i) {
      const size_t output = i % mean_.size();
      numbers[i] = numbers[i] * deviation_[output] + mean_[output];
    }
    return numbers;
  }

  std::vector<NamedTensor> tensors() const override {
    std::vector<NamedTensor> all = network_->parameters();
    if (mean_.empty()) return all;
    all.push_back({"label_mean", as_vector(mean_)});
    all.push_back({"label_deviation", as_vector(deviation_)});
    return all;
  }

 private:
  std::unique_ptr<nn::Mlp> network_;
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

MlpTraining::MlpTraining(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed)
    : train_(train), options_(options), seed_(seed) {
  const auto count = static_cast<double>(train.features.rows);
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
  std::vector<int64_t> widths = options.hidden;
  widths.push_back(train.outputs);
  network_ = std::make_unique<nn::Mlp>(train.features.columns, widths, nn::MlpOptions{.dropout = options.dropout});
  network_->materialize(Device::host(), seed, name);
  network_->set_training(true);
  adam_ = std::make_unique<optim::Adamw>(network_->parameters(), optim::Optimizer::Options{});
}

Matrix MlpTraining::labels_of(std::span<const int64_t> rows) const {
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

double MlpTraining::step(std::span<const int64_t> rows, uint64_t dropout_seed) {
  network_->set_step_seed(dropout_seed);
  const Tensor found = (*network_)(as_tensor(select_rows(train_.features, rows)));
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

double MlpTraining::loss(std::span<const int64_t> rows) const {
  const autograd::NoGrad guard;
  network_->set_training(false);
  Tensor found = (*network_)(as_tensor(select_rows(train_.features, rows)));
  if (options_.softmax_twice) found = ops::softmax(found);
  network_->set_training(true);
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
  return sum / static_cast<double>(mean_.empty() ? rows.size() : values.size());
}

void MlpTraining::run() {
  std::vector<int64_t> order(static_cast<size_t>(train_.features.rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  const std::vector<int64_t> set_apart = take_validation(order, options_.validation, seed_);
  const bool has_best = options_.keeps_best && !set_apart.empty();
  BestEpoch best(network_->parameters());
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

std::unique_ptr<Probe> MlpTraining::probe() && {
  return std::make_unique<MlpProbe>(std::move(network_), std::move(mean_), std::move(deviation_));
}

std::unique_ptr<Probe> fit_mlp(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed) {
  MlpTraining training(train, options, name, seed);
  training.run();
  return std::move(training).probe();
}

std::unique_ptr<Probe> restore_mlp(const Tensors& tensors, Target target) {
  std::vector<int64_t> widths;
  std::vector<NamedTensor> parameters;
  int64_t in = 0;
  for (size_t layer = 0;; ++layer) {
    const std::string name = fmt::format("layers.{}.", layer);
    if (layer > 0 && !tensors.contains(name + "weight")) break;
    const Tensor& weight = tensor_of(tensors, name + "weight", 2);
    if (layer == 0) in = weight.size(1);
    widths.push_back(weight.size(0));
    parameters.push_back({name + "weight", weight});
    parameters.push_back({name + "bias", tensor_of(tensors, name + "bias", 1)});
  }
  auto network = std::make_unique<nn::Mlp>(in, widths);
  network->materialize_empty(Device::host());
  const nn::LoadReport report = nn::load_state(network->parameters(), parameters);
  if (!report.complete()) throw Error(fmt::format("the probe's layers do not fit: {}", report.misshapen.front()));
  if (target == Target::shares)
    return std::make_unique<MlpProbe>(std::move(network), std::vector<double>(), std::vector<double>());
  return std::make_unique<MlpProbe>(std::move(network), tensor_of(tensors, "label_mean", 1).to_doubles(),
                                    tensor_of(tensors, "label_deviation", 1).to_doubles());
}

}  // namespace astroclip::probe
