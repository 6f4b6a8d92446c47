#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/plugin.h"
#include "tensor/matrix.h"

namespace astroclip {

/// What a representation stands in a report for.
enum class Role {
  model,     ///< the experiment's own
  floor,     ///< an untrained reference: an untrained encoder, principal components, magnitudes
  baseline,  ///< a trained rival: another model file
};

/// One way of describing every object by a vector: an embedding, principal components, magnitudes. The row of an
/// object that lacks the modality is NaN, which happens only with `[evaluation] objects = "all"`.
struct Representation {
  std::string name;          ///< "aligned", "before alignment", "untrained", "pca-64", "magnitudes"
  std::string modality;      ///< "image", "spectrum"
  bool cross_modal = false;  ///< true when the other modality's representation of this name lives in the same space
  Role role = Role::model;
  Matrix train, test;
  bool has_units = false;  ///< columns are quantities of their own: principal components, magnitudes
};

/// What a task reads. Labels are columns over the rows of train and test; missing values are NaN.
struct TaskInput {
  std::vector<Representation> representations;
  std::map<std::string, std::vector<double>> train_labels, test_labels;
  std::vector<int64_t> train_ids, test_ids;
  uint64_t seed = 0;
};

/// One line of a report.
struct Measurement {
  std::string representation, modality;
  std::string method;  ///< "knn", "mlp", "cosine", or the objects it is of: "12 → 7"
  Role role = Role::model;
  std::vector<std::pair<std::string, double>> values;  ///< metric → value, in column order
};

/// Which values of a metric are better.
enum class Better { more, less, nearer_zero };

/// A table a scientist can read.
struct Report {
  std::string title;
  std::string note;  ///< protocol in a sentence: k, sizes, metric definitions
  std::vector<Measurement> rows;
  std::map<std::string, Better> better = {};  ///< by metric; `astroclip compare` compares those that are named here
};

/// What a task predicts of test objects from one representation.
struct Prediction {
  std::string representation, modality;
  std::string method;  ///< as in a Measurement: "knn"
  Role role = Role::model;
  std::string label;       ///< what is predicted
  int64_t trained_on = 0;  ///< training objects
  std::vector<int64_t> ids;
  std::vector<double> truth, predicted;       ///< along ids
  std::map<std::string, Matrix> fitted = {};  ///< what was fitted on the training objects, by name
};

struct TaskResult {
  std::vector<Report> reports;
  std::vector<Prediction> predictions = {};
};

/// A measurement of what an embedding is good for.
class Task : public Plugin {
 public:
  virtual ~Task() = default;
  /// Labels the task reads. The engine refuses an experiment whose dataset lacks one.
  virtual std::vector<std::string> labels() const = 0;
  virtual TaskResult run(const TaskInput& input) const = 0;
};

}  // namespace astroclip
