// Redshift from an embedding, by nearest neighbours and by a small network: the few-shot protocols of AstroCLIP
// (Parker et al. 2024, section 5.2).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "api/task.h"
#include "autograd/tape.h"
#include "base/rng.h"
#include "nn/layers.h"
#include "optim/adamw.h"
#include "plugin/record.h"
#include "search/knn.h"

namespace astroclip {
namespace {

struct RedshiftParameters {
  std::string label = "redshift";
  std::vector<std::string> probes = {"knn", "mlp"};
  int64_t k = 0;
  std::vector<int64_t> hidden;
  int64_t epochs = 10;
  int64_t batch = 64;
  double lr = 1e-3;
  double dropout = 0.1;
};

/// Rows that are there and whose label is known, with standardised columns.
struct Sample {
  std::vector<float> values;
  int64_t columns = 0;
  std::vector<double> labels;
  search::Rows rows() const { return {values, columns}; }
};

Sample labelled(const Matrix& matrix, const std::vector<double>& labels, const Matrix& reference) {
  Sample sample;
  sample.columns = matrix.columns;
  const std::vector<float> scaled =
      search::standardised({matrix.values, matrix.columns}, {reference.values, reference.columns});
  for (const int64_t row : present_rows(matrix)) {
    const double label = labels[static_cast<size_t>(row)];
    if (!std::isfinite(label)) continue;
    const auto begin = scaled.begin() + row * matrix.columns;
    sample.values.insert(sample.values.end(), begin, begin + matrix.columns);
    sample.labels.push_back(label);
  }
  return sample;
}

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

/// R²; and of Δz/(1 + z): mean (bias), 1.4826 · median absolute deviation (σ_NMAD), share beyond 0.05 and 0.15.
std::vector<std::pair<std::string, double>> redshift_metrics(const std::vector<double>& predicted,
                                                             const std::vector<double>& truth) {
  const auto count = static_cast<double>(truth.size());
  const double mean = std::accumulate(truth.begin(), truth.end(), 0.0) / count;
  double residual = 0.0, total = 0.0, bias = 0.0, beyond5 = 0.0, beyond15 = 0.0;
  std::vector<double> errors;
  for (size_t i = 0; i < truth.size(); ++i) {
    residual += (predicted[i] - truth[i]) * (predicted[i] - truth[i]);
    total += (truth[i] - mean) * (truth[i] - mean);
    const double error = (predicted[i] - truth[i]) / (1.0 + truth[i]);
    errors.push_back(error);
    bias += error / count;
    beyond5 += std::abs(error) > 0.05 ? 1.0 / count : 0.0;
    beyond15 += std::abs(error) > 0.15 ? 1.0 / count : 0.0;
  }
  const double centre = median(errors);
  for (double& error : errors) error = std::abs(error - centre);
  return {{"R²", 1.0 - residual / total},
          {"bias", bias},
          {"σ_NMAD", 1.4826 * median(errors)},
          {"out>0.05", beyond5},
          {"out>0.15", beyond15}};
}

Tensor matrix_of(const std::vector<float>& values, int64_t columns) {
  return Tensor::from_host(values, {static_cast<int64_t>(values.size()) / columns, columns}, DType::f32,
                           Device::host());
}

/// Adam on the mean squared error of standardised labels.
std::vector<double> mlp_predictions(const Sample& train, const Sample& test, const RedshiftParameters& p,
                                    const std::vector<int64_t>& hidden, uint64_t seed) {
  const auto count = static_cast<int64_t>(train.labels.size());
  const double mean = std::accumulate(train.labels.begin(), train.labels.end(), 0.0) / static_cast<double>(count);
  double variance = 0.0;
  for (const double label : train.labels) variance += (label - mean) * (label - mean) / static_cast<double>(count);
  const double deviation = std::sqrt(variance);

  std::vector<int64_t> widths = hidden;
  widths.push_back(1);
  nn::Mlp probe(train.columns, widths, p.dropout);
  probe.materialize(Device::host(), seed, "redshift_probe");
  optim::Adamw adam(probe.parameters(), {});
  probe.set_training(true);
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t epoch = 0; epoch < p.epochs; ++epoch) {
    Rng rng(seed, RngStream::probes, static_cast<uint64_t>(epoch));
    rng.shuffle(std::span(order));
    for (int64_t begin = 0; begin < count; begin += p.batch) {
      const int64_t rows = std::min(p.batch, count - begin);
      std::vector<float> x, y;
      for (int64_t i = begin; i < begin + rows; ++i) {
        const auto row = static_cast<size_t>(order[static_cast<size_t>(i)]);
        const auto from = train.values.begin() + static_cast<std::ptrdiff_t>(row * static_cast<size_t>(train.columns));
        x.insert(x.end(), from, from + train.columns);
        y.push_back(static_cast<float>((train.labels[row] - mean) / deviation));
      }
      probe.set_step_seed(rng.next());
      const Tensor error = ops::subtract(probe(matrix_of(x, train.columns)), matrix_of(y, 1));
      autograd::backward(ops::mean(ops::square(error)));
      adam.step(p.lr);
    }
  }
  probe.set_training(false);
  const autograd::NoGrad guard;
  std::vector<double> predicted = probe(matrix_of(test.values, test.columns)).to_doubles();
  for (double& value : predicted) value = value * deviation + mean;
  return predicted;
}

class Redshift final : public Task {
 public:
  using Parameters = RedshiftParameters;

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        config::Schema<Parameters>("Redshift by nearest neighbours and by a small network.")
            .field("label", &Parameters::label, "the label to predict")
            .field("probes", &Parameters::probes, "what predicts it", config::each(config::one_of({"knn", "mlp"})))
            .field("k", &Parameters::k,
                   "neighbours; 0: the published 64 of 158,106 scaled to the training set, 16 at least", at_least(0))
            .field("hidden", &Parameters::hidden,
                   "hidden widths of the network; none: as published, [32] for images and [64, 64] for spectra",
                   config::each(at_least(1)))
            .field("epochs", &Parameters::epochs, "passes of the network over the training set", at_least(1))
            .field("batch", &Parameters::batch, "objects of a step", at_least(1))
            .field("lr", &Parameters::lr, "learning rate", config::above(0.0))
            .field("dropout", &Parameters::dropout, "behind each hidden layer", config::between(0.0, 0.99))
            .example(R"(
[[tasks]]
plugin = "redshift"
probes = ["knn"]
)");
    return schema;
  }

  explicit Redshift(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return {p_.label}; }

  std::vector<Report> run(const TaskInput& input) const override {
    const auto& train_labels = input.train_labels.at(p_.label);
    const auto& test_labels = input.test_labels.at(p_.label);
    Report report;
    report.better = {{"R²", Better::more},
                     {"bias", Better::nearer_zero},
                     {"σ_NMAD", Better::less},
                     {"out>0.05", Better::less},
                     {"out>0.15", Better::less}};
    report.title = "redshift: " + p_.label + " of test objects from representations of training objects";
    int64_t k = 0;
    for (const Representation& from : input.representations) {
      const Matrix reference = select_rows(from.train, present_rows(from.train));
      const Sample train = labelled(from.train, train_labels, reference);
      const Sample test = labelled(from.test, test_labels, reference);
      if (train.labels.size() < 2 || test.labels.size() < 2) continue;
      k = neighbours(static_cast<int64_t>(train.labels.size()));
      for (const std::string& probe : p_.probes) {
        const std::vector<double> predicted = probe == "knn"
                                                  ? knn_predictions(train, test, k)
                                                  : mlp_predictions(train, test, p_, hidden(from.modality), input.seed);
        report.rows.push_back(
            {from.name, from.modality, probe, from.baseline, redshift_metrics(predicted, test.labels)});
      }
    }
    std::ranges::stable_sort(report.rows, {},
                             [](const Measurement& row) { return std::pair(row.method, row.modality); });
    report.note = "knn: k = " + std::to_string(k) + ", weighted by inverse distance, columns standardised on the " +
                  std::to_string(input.train_ids.size()) + " training objects; " +
                  std::to_string(input.test_ids.size()) + " test objects. bias, σ_NMAD and outliers of Δz/(1+z).";
    return {report};
  }

 private:
  int64_t neighbours(int64_t rows) const {
    if (p_.k > 0) return p_.k;
    return std::max<int64_t>(16, std::lround(64.0 * static_cast<double>(rows) / 158106.0));
  }

  std::vector<int64_t> hidden(const std::string& modality) const {
    if (!p_.hidden.empty()) return p_.hidden;
    return modality == "spectrum" ? std::vector<int64_t>{64, 64} : std::vector<int64_t>{32};
  }

  static std::vector<double> knn_predictions(const Sample& train, const Sample& test, int64_t k) {
    return search::knn_regression(search::nearest(test.rows(), train.rows(), k), train.labels, 1);
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Redshift)
