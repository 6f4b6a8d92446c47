#pragma once

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
  int64_t k = 0;
  double penalty = 1.0;
};

/// The neighbours that `options` asks for among so many training objects.
int64_t neighbours(const Options& options, int64_t trained_on);

/// Adds the fields of Options to the schema of a task whose parameters derive from them; `hidden` tells what an empty
/// list of hidden widths stands for.
template <class P>
config::Schema<P> with_options(config::Schema<P> schema, const std::string& hidden = "none: a linear model") {
  using config::above, config::at_least;
  return std::move(
      schema
          .field("probes", &Options::probes, "the probes to fit", config::each(config::one_of({"knn", "ridge", "mlp"})))
          .field("k", &Options::k,
                 "neighbours of the k-NN probe; 0: the published 64 of 158,106 scaled to the training set, at least 16",
                 at_least(0))
          .field("penalty", &Options::penalty, "L2 penalty of the ridge probe", above(0.0))
          .field("hidden", &MlpOptions::hidden, "hidden widths of the MLP probe; " + hidden, config::each(at_least(1)))
          .field("epochs", &MlpOptions::epochs, "epochs of the MLP probe", at_least(1))
          .field("batch", &MlpOptions::batch, "batch size of the MLP probe", at_least(1))
          .field("lr", &MlpOptions::lr, "learning rate of the MLP probe", above(0.0))
          .field("dropout", &MlpOptions::dropout, "dropout after each hidden layer of the MLP probe",
                 config::between(0.0, 0.99)));
}

/// Predicts a label of the test objects from a representation of the training objects, by each of the probes. Empty
/// where fewer than two training or test objects have both.
std::vector<Prediction> predict(const Representation& from, const TaskInput& input, const std::string& label,
                                const Options& options);

}  // namespace astroclip::probe
