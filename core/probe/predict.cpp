#include "probe/predict.h"

#include <cmath>

namespace astroclip::probe {

namespace {

Fit fit(const std::string& probe, const Sample& train, const Sample& test, const std::string& label,
        const Options& options, uint64_t seed) {
  if (probe == "knn") return knn(train, test, neighbours(options, train.features.rows));
  if (probe == "ridge") return ridge(train, test, options.penalty);
  return mlp(train, test, options, label + "_probe", seed);
}

Matrix as_row(const std::vector<double>& values) {
  return {1, static_cast<int64_t>(values.size()), {values.begin(), values.end()}};
}

}  // namespace

int64_t neighbours(const Options& options, int64_t trained_on) {
  if (options.k > 0) return options.k;
  return std::max<int64_t>(16, std::lround(64.0 * static_cast<double>(trained_on) / 158106.0));
}

std::vector<Prediction> predict(const Representation& from, const TaskInput& input, const std::string& label,
                                const Options& options) {
  std::vector<Prediction> predictions;
  const Matrix reference = select_rows(from.train, present_rows(from.train));
  if (reference.rows == 0) return predictions;
  const Standardiser standardise(reference);
  const Sample train = labelled(from.train, input.train_labels.at(label), input.train_ids, standardise);
  const Sample test = labelled(from.test, input.test_labels.at(label), input.test_ids, standardise);
  if (train.labels.size() < 2 || test.labels.size() < 2) return predictions;
  for (const std::string& probe : options.probes) {
    Fit result = fit(probe, train, test, label, options, input.seed);
    if (!result.fitted.empty()) {
      result.fitted["column_mean"] = as_row(standardise.means());
      result.fitted["column_scale"] = as_row(standardise.scales());
    }
    predictions.push_back({from.name, from.modality, probe, from.role, label, train.features.rows, test.ids,
                           test.labels, std::move(result.predicted), std::move(result.fitted)});
  }
  return predictions;
}

}  // namespace astroclip::probe
