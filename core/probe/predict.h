#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/task.h"
#include "config/schema.h"
#include "probe/probes.h"

namespace astroclip::probe {

/// Which probes a task fits, and how: parameters that tasks share.
struct Options : MlpOptions {
  std::vector<std::string> probes = {"knn", "mlp"};
  int64_t k = 64;
  double penalty = 1.0;
};

/// Adds the fields of Options to the schema of a task whose parameters derive from them; `hidden` tells what an empty
/// list of hidden widths stands for.
template <class P>
config::Schema<P> with_options(config::Schema<P> schema, const std::string& hidden = "none: a linear model") {
  using config::above, config::at_least;
  return std::move(
      schema
          .field("probes", &Options::probes, "the probes to fit", config::each(config::one_of({"knn", "ridge", "mlp"})))
          .field("k", &Options::k, "neighbours of the k-NN probe; the published protocol has 64", at_least(1))
          .field("penalty", &Options::penalty, "L2 penalty of the ridge probe", above(0.0))
          .field("hidden", &MlpOptions::hidden, "hidden widths of the MLP probe; " + hidden, config::each(at_least(1)))
          .field("epochs", &MlpOptions::epochs, "epochs of the MLP probe", at_least(1))
          .field("batch", &MlpOptions::batch, "batch size of the MLP probe", at_least(1))
          .field("lr", &MlpOptions::lr, "learning rate of the MLP probe", above(0.0))
          .field("dropout", &MlpOptions::dropout, "dropout after each hidden layer of the MLP probe",
                 config::between(0.0, 0.99))
          .field("validation", &MlpOptions::validation,
                 "share of the training objects set apart to choose the MLP probe's best epoch; 0: its last epoch",
                 config::between(0.0, 0.9)));
}

/// What one probe predicts, by the random starts of the probe: TaskInput::probe_seeds of an MLP, one of the others.
using BySeed = std::vector<Prediction>;

/// Predicts a label of the test objects from a representation of the training objects, by each of the probes. Columns
/// are standardised on the training objects with a label. Throws Error where fewer than two training or test objects
/// have both representation and label.
std::vector<BySeed> predict(const Representation& from, const TaskInput& input, const std::string& label,
                            const Options& options);

/// Metrics of predictions of some test objects.
using PredictionMetrics =
    std::function<std::vector<Metric>(std::span<const double> predicted, std::span<const double> truth)>;

/// A line of a report: metrics as means over the probe's seeds, with errors. `objects` are places in the predictions;
/// `method` names the line.
Measurement measure(const BySeed& predictions, const std::string& method, const PredictionMetrics& metrics,
                    const TaskInput& input, std::span<const int64_t> objects);
/// The same of all predictions.
Measurement measure(const BySeed& predictions, const std::string& method, const PredictionMetrics& metrics,
                    const TaskInput& input);

}  // namespace astroclip::probe
