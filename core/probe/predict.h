#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/task.h"
#include "config/schema.h"
#include "probe/probe_file.h"

namespace astroclip::probe {

/// Which probes a task fits, and how: parameters that tasks share.
struct Options : MlpOptions {
  std::vector<std::string> probes = {"knn", "mlp"};
  int64_t k = 64;
  double penalty = 1.0;
  Protocol protocol = Protocol::own;
  // No key of an experiment file: what a named protocol sets.
  Standardisation standardisation = Standardisation::columns;
};

/// Adds the fields of Options to the schema of a task whose parameters derive from them; `hidden` tells what an empty
/// list of hidden widths stands for, `target` what the task predicts.
template <class P>
config::Schema<P> with_options(config::Schema<P> schema, const std::string& hidden = "none: a linear model",
                               Target target = Target::numbers) {
  using config::above, config::at_least;
  std::vector<std::string> probes = {"knn", "ridge", "mlp", "attentive"};
  if (target == Target::shares) probes.insert(probes.begin() + 2, "logistic");
  const std::string of_ridge = target == Target::shares ? "ridge and logistic probes" : "ridge probe";
  return std::move(
      schema
          .field("probes", &Options::probes,
                 "the probes to fit; \"attentive\" reads the backbone's tokens and needs [evaluation] embedding = "
                 "\"pool\"",
                 config::each(config::one_of(probes)))
          .field("k", &Options::k, "neighbours of the k-NN probe; the published protocol has 64", at_least(1))
          .field("penalty", &Options::penalty, "L2 penalty of the " + of_ridge, above(0.0))
          .field("hidden", &MlpOptions::hidden, "hidden widths of the MLP and attentive probes; " + hidden,
                 config::each(at_least(1)))
          .field("epochs", &MlpOptions::epochs, "epochs of the MLP and attentive probes", at_least(1))
          .field("batch", &MlpOptions::batch, "batch size of the MLP and attentive probes", at_least(1))
          .field("lr", &MlpOptions::lr, "learning rate of the MLP and attentive probes", above(0.0))
          .field("dropout", &MlpOptions::dropout, "dropout after each hidden layer of the MLP and attentive probes",
                 config::between(0.0, 0.99))
          .field("validation", &MlpOptions::validation,
                 "share of the training objects set apart to choose the best epoch of the MLP and attentive probes; 0: "
                 "their last epoch",
                 config::between(0.0, 0.9)));
}

/// Whether two sets of options agree in what the named protocols set.
inline bool same_training(const Options& a, const Options& b) {
  return a.k == b.k && static_cast<const MlpOptions&>(a) == static_cast<const MlpOptions&>(b);
}

/// Whether a task with these options reads the tokens of representations.
bool reads_tokens(const Options& options);

/// A sentence, with a space before it, that names the representations without tokens where probes read some; else "".
std::string lack_of_tokens(const TaskInput& input, const Options& options);

/// What is predicted of an object, from labels of the task.
struct Quantity {
  enum class Kind {
    numbers,  ///< the labels themselves, together
    shares,   ///< the labels are shares of the answers to a question
    classes,  ///< the one label is a class: each of its values is an answer
  };
  std::string name;  ///< in reports and files: "redshift", "bar"
  std::vector<std::string> labels;
  Kind kind = Kind::numbers;
};

/// The objects with a representation and the labels of a quantity. Vectors are standardised on the training objects.
struct Samples {
  Sample train, test;
  std::vector<std::string> outputs;  ///< names of the labels or answers
  Standardiser standardise;
};
/// Throws Error where fewer than two training or test objects have both representation and labels, and where all these
/// training objects have the same label, class or shares.
Samples samples_of(const Representation& from, const TaskInput& input, const Quantity& quantity,
                   Standardisation standardisation);

/// What one probe predicts, by the random starts of the probe: TaskInput::probe_seeds of an MLP or attentive probe, one
/// of the others.
using BySeed = std::vector<Prediction>;

/// Predicts a quantity of the test objects from a representation of the training objects, by each of the probes but an
/// attentive one where the representation has no tokens. Throws Error as samples_of does.
std::vector<BySeed> predict(const Representation& from, const TaskInput& input, const Quantity& quantity,
                            const Options& options);
/// The same of one label, a number.
std::vector<BySeed> predict(const Representation& from, const TaskInput& input, const std::string& label,
                            const Options& options);

/// The seed of the probe's start number `start`, from 0.
uint64_t seed_of(const TaskInput& input, int64_t start);
/// Gives a prediction what was fitted, as it is saved.
void keep(Prediction& prediction, const FittedProbe& fitted, const Representation& from);

/// Metrics of predictions of some test objects: numbers, or shares [objects, answers].
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
