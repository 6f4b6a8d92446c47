#include "probe/predict.h"

#include <fmt/format.h>

#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "probe/bootstrap.h"

namespace astroclip::probe {

namespace {

Fit fit(const std::string& probe, const Sample& train, const Sample& test, const std::string& label,
        const Options& options, uint64_t seed) {
  if (probe == "knn") return knn(train, test, options.k);
  if (probe == "ridge") return ridge(train, test, options.penalty);
  return mlp(train, test, options, label + "_probe", seed);
}

Matrix as_row(const std::vector<double>& values) {
  return {1, static_cast<int64_t>(values.size()), {values.begin(), values.end()}};
}

const std::vector<double>& column(const std::map<std::string, std::vector<double>>& labels, const std::string& label) {
  const auto found = labels.find(label);
  if (found != labels.end()) return found->second;
  throw Error("the task's labels() do not name '" + label + "', which it predicts");
}

/// The seed of the probe's start number `start`, from 0.
uint64_t seed_of(const TaskInput& input, int64_t start) {
  return start == 0 ? input.seed : input.seed ^ stable_hash(fmt::format("probe start {}", start));
}

void need_objects(const Representation& from, const TaskInput& input, const std::string& label, const Sample& train,
                  const Sample& test) {
  if (train.labels.size() >= 2 && test.labels.size() >= 2) return;
  throw Error(
      fmt::format("label '{}': {} of {} training objects and {} of {} test objects have the label and the "
                  "representation '{}' of '{}'; two of each are needed",
                  label, train.labels.size(), input.train_ids.size(), test.labels.size(), input.test_ids.size(),
                  from.name, from.modality));
}

}  // namespace

std::vector<BySeed> predict(const Representation& from, const TaskInput& input, const std::string& label,
                            const Options& options) {
  Sample train = labelled(from.train, column(input.train_labels, label), input.train_ids);
  Sample test = labelled(from.test, column(input.test_labels, label), input.test_ids);
  need_objects(from, input, label, train, test);
  const Standardiser standardise(train.features);
  train.features = standardise(train.features);
  test.features = standardise(test.features);
  std::vector<BySeed> all;
  for (const std::string& probe : options.probes) {
    const int64_t starts = probe == "mlp" ? input.probe_seeds : 1;
    all.emplace_back();
    for (int64_t start = 0; start < starts; ++start) {
      Fit result = fit(probe, train, test, label, options, seed_of(input, start));
      if (!result.fitted.empty()) {
        result.fitted["column_mean"] = as_row(standardise.means());
        result.fitted["column_scale"] = as_row(standardise.scales());
      }
      all.back().push_back({from.name, from.modality, probe, from.role, label, train.features.rows, test.ids,
                            test.labels, std::move(result.predicted), std::move(result.fitted), test.objects});
    }
  }
  return all;
}

Measurement measure(const BySeed& predictions, const std::string& method, const PredictionMetrics& metrics,
                    const TaskInput& input, std::span<const int64_t> objects) {
  std::vector<Statistic> statistics;
  for (const Prediction& one : predictions) {
    statistics.emplace_back([&](std::span<const int64_t> drawn) {
      std::vector<double> predicted, truth;
      for (const int64_t i : drawn) {
        const auto at = static_cast<size_t>(objects[static_cast<size_t>(i)]);
        predicted.push_back(one.predicted[at]);
        truth.push_back(one.truth[at]);
      }
      return metrics(predicted, truth);
    });
  }
  const Prediction& first = predictions.front();
  const auto count = static_cast<int64_t>(objects.size());
  return {first.representation, first.modality, method, first.role, with_errors(statistics, count, input),
          first.trained_on,     count};
}

Measurement measure(const BySeed& predictions, const std::string& method, const PredictionMetrics& metrics,
                    const TaskInput& input) {
  std::vector<int64_t> all(predictions.front().ids.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  return measure(predictions, method, metrics, input, all);
}

}  // namespace astroclip::probe
