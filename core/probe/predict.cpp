#include "probe/predict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "probe/attentive.h"
#include "probe/bootstrap.h"

namespace astroclip::probe {

namespace {

constexpr const char* attentive_method = "attentive";

/// What a method fits, with its standardisation; features of the samples are standardised already, tokens are not.
FittedProbe fit(const std::string& method, const Samples& samples, const Quantity& quantity, const Options& options,
                uint64_t seed) {
  const Sample& train = samples.train;
  FittedProbe fitted{method, quantity.name, samples.outputs, train.target, options.protocol, samples.standardise};
  if (method == "knn") fitted.probe = fit_knn(train, options.k);
  if (method == "ridge") fitted.probe = fit_ridge(train, options.penalty);
  if (method == "logistic") fitted.probe = fit_logistic(train, options.penalty);
  if (method == "mlp") fitted.probe = fit_mlp(train, options, quantity.name + "_probe", seed);
  if (method == attentive_method) {
    fitted.standardise = token_standardiser(train, options.standardisation, options.batch);
    fitted.probe = fit_attentive(train, fitted.standardise, options, quantity.name + "_attentive_probe", seed);
  }
  return fitted;
}

LabelColumns columns_of(const std::map<std::string, std::vector<double>>& labels, const Quantity& quantity) {
  LabelColumns columns;
  for (const std::string& label : quantity.labels) {
    const auto found = labels.find(label);
    if (found == labels.end()) throw Error("the task's labels() do not name '" + label + "', which it predicts");
    columns.push_back(&found->second);
  }
  return columns;
}

void need_objects(const Representation& from, const TaskInput& input, const Quantity& quantity, const Sample& train,
                  const Sample& test) {
  if (train.ids.size() >= 2 && test.ids.size() >= 2) return;
  throw Error(
      fmt::format("label '{}': {} of {} training objects and {} of {} test objects have the label and the "
                  "representation '{}' of '{}'; two of each are needed",
                  quantity.name, train.ids.size(), input.train_ids.size(), test.ids.size(), input.test_ids.size(),
                  from.name, from.modality));
}

/// Throws Error unless training objects differ in each label, or in some share.
void need_differences(const Quantity& quantity, const Sample& train) {
  const auto outputs = static_cast<size_t>(train.outputs);
  size_t constant = 0;
  for (size_t output = 0; output < outputs; ++output) {
    bool differs = false;
    for (size_t i = output; i < train.labels.size(); i += outputs) differs |= train.labels[i] != train.labels[output];
    constant += differs ? 0 : 1;
    if (differs || quantity.kind == Quantity::Kind::shares) continue;
    throw Error(
        fmt::format("label '{}': all {} training objects with the representation have the {} {}; there is "
                    "nothing to tell apart",
                    quantity.labels[output], train.ids.size(),
                    quantity.kind == Quantity::Kind::classes ? "class" : "value", train.labels[output]));
  }
  if (constant < outputs) return;
  throw Error(
      fmt::format("question '{}': all {} training objects with the representation have the same shares of "
                  "its answers; there is nothing to tell apart",
                  quantity.name, train.ids.size()));
}

/// Makes shares of classes, 1 for an object's own; gives the classes.
std::vector<std::string> split_classes(Sample& train, Sample& test) {
  std::set<double> classes(train.labels.begin(), train.labels.end());
  classes.insert(test.labels.begin(), test.labels.end());
  for (Sample* sample : {&train, &test}) {
    std::vector<double> shares;
    for (const double label : sample->labels) {
      for (const double one : classes) shares.push_back(one == label ? 1.0 : 0.0);
    }
    sample->labels = std::move(shares);
    sample->outputs = static_cast<int64_t>(classes.size());
  }
  std::vector<std::string> names;
  for (const double one : classes) names.push_back(fmt::format("{}", one));
  return names;
}

}  // namespace

Samples samples_of(const Representation& from, const TaskInput& input, const Quantity& quantity,
                   Standardisation standardisation) {
  Sample train = labelled(from.train, columns_of(input.train_labels, quantity), input.train_ids);
  Sample test = labelled(from.test, columns_of(input.test_labels, quantity), input.test_ids);
  need_objects(from, input, quantity, train, test);
  need_differences(quantity, train);
  std::vector<std::string> outputs = quantity.labels;
  if (quantity.kind == Quantity::Kind::classes) outputs = split_classes(train, test);
  if (quantity.kind != Quantity::Kind::numbers) train.target = test.target = Target::shares;
  Standardiser standardise(train.features, standardisation);
  train.features = standardise(train.features);
  test.features = standardise(test.features);
  return {std::move(train), std::move(test), std::move(outputs), std::move(standardise)};
}

uint64_t seed_of(const TaskInput& input, int64_t start) {
  return start == 0 ? input.seed : input.seed ^ stable_hash(fmt::format("probe start {}", start));
}

void keep(Prediction& prediction, const FittedProbe& fitted, const Representation& from) {
  prediction.fitted = fitted.tensors();
  prediction.metadata = fitted.metadata();
  prediction.metadata.insert({{"representation", from.name},
                              {"encoder", from.modality},
                              {"trained_on", fmt::format("{} objects", prediction.trained_on)}});
  if (from.model_hash.empty()) return;
  prediction.metadata["model_hash"] = from.model_hash;
  prediction.metadata["embedding"] = from.embedding;
}

bool reads_tokens(const Options& options) {
  return std::ranges::find(options.probes, attentive_method) != options.probes.end();
}

std::string lack_of_tokens(const TaskInput& input, const Options& options) {
  std::vector<std::string> lacking;
  for (const Representation& one : input.representations) {
    if (!one.train.tokens) lacking.push_back(fmt::format("{} ({})", one.name, one.modality));
  }
  if (!reads_tokens(options) || lacking.empty()) return "";
  return fmt::format(" No tokens, and so no attentive probe: {}.", fmt::join(lacking, ", "));
}

std::vector<BySeed> predict(const Representation& from, const TaskInput& input, const Quantity& quantity,
                            const Options& options) {
  const Samples samples = samples_of(from, input, quantity, options.standardisation);
  const Sample& test = samples.test;
  std::vector<BySeed> all;
  for (const std::string& method : options.probes) {
    const bool on_tokens = method == attentive_method;
    if (on_tokens && !from.train.tokens) continue;
    const int64_t starts = on_tokens || method == "mlp" ? input.probe_seeds : 1;
    all.emplace_back();
    for (int64_t start = 0; start < starts; ++start) {
      const FittedProbe fitted = fit(method, samples, quantity, options, seed_of(input, start));
      Prediction& one = all.back().emplace_back(Prediction{
          from.name, from.modality, method, from.role, quantity.name, samples.train.size(), test.ids, test.labels,
          on_tokens ? predict_from_tokens(fitted, test, options.batch) : fitted.probe->predict(test.features),
          test.objects});
      if (samples.outputs.size() > 1) one.outputs = samples.outputs;
      if (input.keep_probes) keep(one, fitted, from);
    }
  }
  return all;
}

std::vector<BySeed> predict(const Representation& from, const TaskInput& input, const std::string& label,
                            const Options& options) {
  return predict(from, input, Quantity{label, {label}}, options);
}

Measurement measure(const BySeed& predictions, const std::string& method, const PredictionMetrics& metrics,
                    const TaskInput& input, std::span<const int64_t> objects) {
  std::vector<Statistic> statistics;
  for (const Prediction& one : predictions) {
    statistics.emplace_back([&](std::span<const int64_t> drawn) {
      const size_t outputs = std::max<size_t>(1, one.outputs.size());
      std::vector<double> predicted, truth;
      for (const int64_t i : drawn) {
        const size_t at = static_cast<size_t>(objects[static_cast<size_t>(i)]) * outputs;
        for (size_t output = at; output < at + outputs; ++output) {
          predicted.push_back(one.predicted[output]);
          truth.push_back(one.truth[output]);
        }
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
