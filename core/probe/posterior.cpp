#include "probe/posterior.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/rng.h"
#include "ops/operators.h"
#include "optim/schedule.h"
#include "probe/best_epoch.h"
#include "probe/metrics.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

namespace {

constexpr int64_t samples_of_each = 256, rows_at_once = 32;
constexpr double least_learning_rate = 1e-6;

Tensor on_host(const std::vector<float>& values, int64_t columns) {
  return Tensor::from_host(values, {static_cast<int64_t>(values.size()) / columns, columns}, DType::f32,
                           Device::host());
}

std::vector<float> floats_of(std::span<const double> values) { return {values.begin(), values.end()}; }

/// Some rows of labels and features, as a flow takes them.
struct Batch {
  Tensor labels, context;
};

Batch batch_of(const std::vector<float>& labels, const Matrix& features, std::span<const int64_t> rows) {
  const auto count = labels.size() / static_cast<size_t>(features.rows);
  std::vector<float> own;
  for (const int64_t row : rows) {
    const auto of_row = std::span(labels).subspan(static_cast<size_t>(row) * count, count);
    own.insert(own.end(), of_row.begin(), of_row.end());
  }
  return {on_host(own, static_cast<int64_t>(count)), on_host(select_rows(features, rows).values, features.columns)};
}

/// Calls `use(first row, features)` with some rows at a time.
template <class Use>
void by_rows(const Matrix& features, Use use) {
  for (int64_t begin = 0; begin < features.rows; begin += rows_at_once) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min(rows_at_once, features.rows - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    use(begin, select_rows(features, rows));
  }
}

/// Where the standard normal distribution has the share `below` below it, between −10 and 10.
double normal_quantile(double below) {
  double low = -10.0, high = 10.0;
  for (int halving = 0; halving < 50; ++halving) {
    const double middle = 0.5 * (low + high);
    (0.5 * std::erfc(-middle / std::numbers::sqrt2) < below ? low : high) = middle;
  }
  return low;
}

/// Standard normal values [samples, labels], of which any in a row are spread evenly: random ones, being the same for
/// all objects, would widen or narrow all densities alike. The sequence is Roberts's R_d (2018, "The unreasonable
/// effectiveness of quasirandom sequences"): multiples of powers of 1/φ modulo 1, with φ^(labels + 1) = φ + 1.
std::vector<float> spread_normals(int64_t count, int64_t labels) {
  double ratio = 2.0;
  for (int step = 0; step < 60; ++step) ratio = std::pow(1.0 + ratio, 1.0 / static_cast<double>(labels + 1));
  std::vector<float> all;
  for (int64_t i = 0; i < count; ++i) {
    double step = 1.0, whole = 0.0;
    for (int64_t label = 0; label < labels; ++label) {
      step /= ratio;
      all.push_back(static_cast<float>(normal_quantile(std::modf(0.5 + step * static_cast<double>(i + 1), &whole))));
    }
  }
  return all;
}

double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI); }

}  // namespace

FlowTraining::FlowTraining(SplineFlow& flow) : flow_(flow), adam_(flow.parameters(), {}) {}

double FlowTraining::step(const Tensor& labels, const Tensor& context, double learning_rate) {
  const Tensor loss = -ops::mean(flow_.log_density(labels, context));
  autograd::backward(loss);
  adam_.step({learning_rate});
  return loss.item();
}

double FlowTraining::loss(const Tensor& labels, const Tensor& context) const {
  const autograd::NoGrad guard;
  return -ops::mean(flow_.log_density(labels, context)).item();
}

Posterior::Posterior(std::vector<std::unique_ptr<SplineFlow>> members, std::vector<double> mean,
                     std::vector<double> deviation)
    : members_(std::move(members)), mean_(std::move(mean)), deviation_(std::move(deviation)) {}

std::vector<NamedTensor> Posterior::tensors() const {
  std::vector<NamedTensor> all;
  for (size_t i = 0; i < members_.size(); ++i) {
    nn::append_state(all, members_[i]->parameters(), fmt::format("members.{}", i));
  }
  all.push_back({"label_mean", as_vector(mean_)});
  all.push_back({"label_deviation", as_vector(deviation_)});
  return all;
}

std::vector<std::vector<double>> Posterior::log_densities(const Matrix& features, std::span<const double> truth) const {
  const autograd::NoGrad guard;
  std::vector<double> standardised(truth.begin(), truth.end());
  for (size_t i = 0; i < standardised.size(); ++i) {
    standardised[i] = (standardised[i] - mean_[i % mean_.size()]) / deviation_[i % mean_.size()];
  }
  const Tensor values = on_host(floats_of(standardised), labels());
  const Tensor context = on_host(features.values, features.columns);
  std::vector<std::vector<double>> all;
  for (const auto& member : members_) all.push_back(member->log_density(values, context).to_doubles());
  return all;
}

std::vector<double> Posterior::samples(const Matrix& features) const {
  const auto count = static_cast<size_t>(labels()), flows = members_.size();
  const bool shares_splines = members_.front()->options().kind == FlowKind::elementwise;
  const std::vector<float> latent = spread_normals(samples_of_each, labels());
  std::vector<double> all(static_cast<size_t>(features.rows * samples_of_each) * count);
  by_rows(features, [&](int64_t begin, const Matrix& some) {
    for (size_t flow = 0; flow < flows; ++flow) {
      // Each member draws its part of the samples.
      const size_t first = flow * samples_of_each / flows, end = (flow + 1) * samples_of_each / flows;
      std::vector<float> repeated;
      std::vector<int64_t> rows;
      for (int64_t row = 0; row < some.rows; ++row) {
        repeated.insert(repeated.end(), latent.begin() + static_cast<std::ptrdiff_t>(first * count),
                        latent.begin() + static_cast<std::ptrdiff_t>(end * count));
        rows.insert(rows.end(), shares_splines ? 1 : end - first, row);
      }
      const Matrix context = select_rows(some, rows);
      const std::vector<double> found =
          members_[flow]->sample(on_host(repeated, labels()), on_host(context.values, context.columns)).to_doubles();
      for (size_t i = 0; i < found.size(); ++i) {
        const size_t label = i % count, sample = i / count % (end - first), row = i / count / (end - first);
        const size_t place = (static_cast<size_t>(begin) + row) * samples_of_each + first + sample;
        all[place * count + label] = found[i] * deviation_[label] + mean_[label];
      }
    }
  });
  return all;
}

std::vector<double> Posterior::predict(const Matrix& features) const {
  const auto count = static_cast<size_t>(labels());
  const std::vector<double> drawn = samples(features);
  std::vector<double> quantiles;
  std::vector<double> own(samples_of_each);
  for (size_t row = 0; row < static_cast<size_t>(features.rows); ++row) {
    for (size_t label = 0; label < count; ++label) {
      for (size_t i = 0; i < own.size(); ++i) own[i] = drawn[(row * samples_of_each + i) * count + label];
      std::ranges::sort(own);
      for (const double share : posterior_quantiles) quantiles.push_back(quantile(own, share));
    }
  }
  return quantiles;
}

std::vector<std::vector<double>> Posterior::elementwise(const Matrix& features,
                                                        const std::vector<std::vector<double>>& grids) const {
  const autograd::NoGrad guard;
  const size_t count = grids.size(), points = grids.front().size();
  std::vector<std::vector<double>> densities(count,
                                             std::vector<double>(static_cast<size_t>(features.rows) * points, 0.0));
  by_rows(features, [&](int64_t begin, const Matrix& some) {
    std::vector<float> values;
    for (int64_t row = 0; row < some.rows; ++row) {
      for (size_t point = 0; point < points; ++point) {
        for (const std::vector<double>& grid : grids) values.push_back(static_cast<float>(grid[point]));
      }
    }
    const Tensor at = on_host(values, labels()), context = on_host(some.values, some.columns);
    for (const auto& member : members_) {
      const std::vector<double> found = member->log_density(at, context).to_doubles();
      for (size_t i = 0; i < found.size(); ++i) {
        densities[i % count][static_cast<size_t>(begin) * points + i / count] += std::exp(found[i]);
      }
    }
  });
  return densities;
}

std::vector<Densities> Posterior::marginals(const Matrix& features, std::span<const double> low,
                                            std::span<const double> high, int64_t points) const {
  const auto count = static_cast<size_t>(labels());
  std::vector<std::vector<double>> grids(count), standardised(count);
  for (size_t label = 0; label < count; ++label) {
    for (int64_t point = 0; point < points; ++point) {
      const double share = static_cast<double>(point) / static_cast<double>(points - 1);
      grids[label].push_back(std::lerp(low[label], high[label], share));
      standardised[label].push_back((grids[label].back() - mean_[label]) / deviation_[label]);
    }
  }
  std::vector<std::vector<double>> values;
  if (members_.front()->options().kind == FlowKind::elementwise) {
    values = elementwise(features, standardised);
  } else {
    const std::vector<double> drawn = samples(features);
    for (size_t label = 0; label < count; ++label) {
      std::vector<double> own;
      for (size_t i = label; i < drawn.size(); i += count) own.push_back(drawn[i]);
      values.push_back(kernel_densities(own, samples_of_each, grids[label]));
    }
  }
  std::vector<Densities> all;
  for (size_t label = 0; label < count; ++label) {
    all.emplace_back(grids[label], std::move(values[label]));
    if (members_.front()->options().kind == FlowKind::elementwise) continue;
    std::vector<double> smoothed;
    for (int64_t row = 0; row < features.rows; ++row) {
      for (size_t point = 0; point < grids[label].size(); ++point) {
        smoothed.push_back(samples_of_each * all.back().density(row, grids[label][point]) +
                           normal_density(standardised[label][point]) / deviation_[label]);
      }
    }
    all.back() = Densities(grids[label], std::move(smoothed));
  }
  return all;
}

namespace {

/// One member of an ensemble.
std::unique_ptr<SplineFlow> fit_flow(const Sample& train, const std::vector<float>& labels,
                                     const PosteriorOptions& options, const std::string& name, uint64_t seed,
                                     int64_t member) {
  const auto sample = static_cast<uint64_t>(member) + 1;
  Rng rng(seed, RngStream::probes, 0, sample);
  const auto largest = static_cast<double>(options.hidden);
  const auto width = static_cast<int64_t>(std::ceil(largest * std::exp2(rng.uniform(-1.0, 0.0))));
  const int64_t layers = options.min_layers + rng.below(options.max_layers - options.min_layers + 1);
  auto flow = std::make_unique<SplineFlow>(
      FlowOptions{options.flow, train.outputs, train.features.columns, layers, options.bins, {width, width, width}});
  flow->materialize(Device::host(), seed, fmt::format("{}.{}", name, member));

  std::vector<int64_t> order(static_cast<size_t>(train.features.rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  const std::vector<int64_t> set_apart = take_validation(order, options.validation, seed);
  FlowTraining training(*flow);
  BestEpoch best(flow->parameters());
  std::vector<double> losses;
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    Rng(seed, RngStream::probes, static_cast<uint64_t>(epoch) + 1, sample).shuffle(std::span(order));
    const double rate = optim::cosine(epoch, options.lr, least_learning_rate, options.epochs);
    const auto count = static_cast<int64_t>(order.size());
    for (int64_t begin = 0; begin < count; begin += options.batch) {
      const auto size = static_cast<size_t>(std::min(options.batch, count - begin));
      const Batch batch =
          batch_of(labels, train.features, std::span<const int64_t>(order).subspan(static_cast<size_t>(begin), size));
      training.step(batch.labels, batch.context, rate);
    }
    if (set_apart.empty()) continue;
    const Batch batch = batch_of(labels, train.features, set_apart);
    const double loss = training.loss(batch.labels, batch.context);
    if (options.keeps_best) {
      best.offer(loss);
      continue;
    }
    // As published: from the twelfth epoch on, a loss above the mean of the five before ends the training.
    if (epoch > 10 && loss > std::accumulate(losses.end() - 5, losses.end(), 0.0) / 5.0) break;
    losses.push_back(loss);
  }
  best.restore();
  return flow;
}

}  // namespace

std::unique_ptr<Posterior> fit_posterior(const Sample& train, const PosteriorOptions& options, const std::string& name,
                                         uint64_t seed) {
  const auto outputs = static_cast<size_t>(train.outputs);
  const auto count = static_cast<double>(train.features.rows);
  std::vector<double> mean(outputs, 0.0), deviation(outputs, 0.0);
  for (size_t i = 0; i < train.labels.size(); ++i) mean[i % outputs] += train.labels[i] / count;
  for (size_t i = 0; i < train.labels.size(); ++i) {
    deviation[i % outputs] += std::pow(train.labels[i] - mean[i % outputs], 2) / (count - 1.0);
  }
  for (double& value : deviation) value = value > 0.0 ? std::sqrt(value) : 1.0;
  std::vector<float> labels;
  for (size_t i = 0; i < train.labels.size(); ++i) {
    labels.push_back(static_cast<float>((train.labels[i] - mean[i % outputs]) / deviation[i % outputs]));
  }
  std::vector<std::unique_ptr<SplineFlow>> members;
  for (int64_t member = 0; member < options.members; ++member) {
    members.push_back(fit_flow(train, labels, options, name, seed, member));
  }
  return std::make_unique<Posterior>(std::move(members), std::move(mean), std::move(deviation));
}

std::string flow_method(FlowKind kind) { return name_of(kind) + "_flow"; }

std::vector<std::string> quantile_names(const std::vector<std::string>& labels) {
  std::vector<std::string> names;
  for (const std::string& label : labels) {
    for (const double share : posterior_quantiles) names.push_back(fmt::format("{} {:.0f} %", label, 100.0 * share));
  }
  return names;
}

std::unique_ptr<Probe> restore_posterior(const Tensors& tensors, FlowKind kind) {
  const Tensor& mean = tensor_of(tensors, "label_mean", 1);
  const int64_t labels = mean.numel();
  std::vector<std::unique_ptr<SplineFlow>> members;
  size_t restored = 0;
  for (int64_t member = 0;; ++member) {
    const std::string prefix = fmt::format("members.{}.", member);
    FlowOptions options{kind, labels, 0, 0, 0, {}};
    while (tensors.contains(fmt::format("{}{}.nn.layers.0.weight", prefix, options.layers))) ++options.layers;
    if (options.layers == 0 && member > 0) break;
    std::vector<const Tensor*> weights;  // of the first layer's network
    do {
      weights.push_back(&tensor_of(tensors, fmt::format("{}0.nn.layers.{}.weight", prefix, weights.size()), 2));
    } while (tensors.contains(fmt::format("{}0.nn.layers.{}.weight", prefix, weights.size())));
    for (const Tensor* weight : weights) options.hidden.push_back(weight->size(0));
    // As SplineFlow lays its first layer out: which labels it moves, and which its network sees.
    const int64_t moved = kind == FlowKind::coupling ? labels / 2 : labels;
    const int64_t seen = kind == FlowKind::coupling ? labels - moved : kind == FlowKind::autoregressive ? labels : 0;
    options.context = weights.front()->size(1) - seen;
    options.bins = (options.hidden.back() / std::max<int64_t>(moved, 1) + 1) / 3;
    options.hidden.pop_back();
    members.push_back(std::make_unique<SplineFlow>(options));
    members.back()->materialize_empty(Device::host());
    std::vector<NamedTensor> own;
    for (const auto& [name, tensor] : tensors) {
      if (name.starts_with(prefix)) own.push_back({name.substr(prefix.size()), tensor});
    }
    const nn::LoadReport report = nn::load_state(members.back()->parameters(), own);
    restored += own.size();
    if (report.complete() && report.unexpected.empty()) continue;
    throw Error(fmt::format("the probe's flow {} lacks a tensor, or has one of another shape", member));
  }
  const auto of_members =
      std::ranges::count_if(tensors, [](const auto& entry) { return entry.first.starts_with("members."); });
  if (std::cmp_not_equal(of_members, restored)) {
    throw Error(fmt::format("the probe's flows have {} tensors, {} were expected", of_members, restored));
  }
  return std::make_unique<Posterior>(std::move(members), mean.to_doubles(),
                                     tensor_of(tensors, "label_deviation", 1).to_doubles());
}

}  // namespace astroclip::probe
