#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/plugin.h"
#include "base/object_ids.h"
#include "tensor/matrix.h"
#include "tensor/named_tensor.h"

namespace astroclip {

/// What a representation stands in a report for.
enum class Role {
  model,     ///< the experiment's own
  floor,     ///< an untrained reference: an untrained encoder, principal components, magnitudes
  baseline,  ///< a trained rival: another model file
};

/// Tokens of the objects of a split, read of some objects at a time: all together may be larger than memory.
class TokenReader {
 public:
  virtual ~TokenReader() = default;
  /// Of each object.
  virtual int64_t tokens() const = 0;
  /// [objects · tokens(), width]; `objects` are places in the split's ids, of objects that have the modality.
  virtual Matrix read(std::span<const int64_t> objects) const = 0;
};

/// Vectors of some objects of a split. Objects that lack the modality are not among them.
struct Vectors {
  Matrix values;                      ///< a row for each object, all finite
  std::vector<int64_t> objects = {};  ///< whose rows they are: places in the split's ids and labels, ascending
  /// The backbone's tokens that the rows pool, without class token; none where nothing reads them, and of what is no
  /// pooled backbone.
  std::shared_ptr<const TokenReader> tokens = nullptr;
};

/// Vectors of all objects: of a matrix with a row for each.
Vectors of_all(Matrix values);
/// Those of `objects`, which are among them; ascending, as they are.
Vectors of_some(const Vectors& vectors, std::span<const int64_t> objects);

/// One way of describing every object by a vector: an embedding, principal components, magnitudes. All representations
/// of a modality describe the same objects.
struct Representation {
  std::string name;          ///< "aligned", "before alignment", "untrained", "pca-64", "magnitudes"
  std::string modality;      ///< "image", "spectrum"
  bool cross_modal = false;  ///< true when the other modality's representation of this name lives in the same space
  Role role = Role::model;
  Vectors train, test;
  bool has_units = false;  ///< columns are quantities of their own: principal components, magnitudes
  // Of one that a model file gives; "" of others.
  std::string model_hash = {};  ///< the file's
  std::string embedding = {};   ///< "head" or "pool", as of `astroclip embed`
};

/// What a task reads. Labels are columns over the objects of train and test; missing values are NaN.
struct TaskInput {
  std::vector<Representation> representations;
  std::map<std::string, std::vector<double>> train_labels, test_labels;
  std::vector<int64_t> train_ids, test_ids;  ///< keys of the identifiers
  uint64_t seed = 0;
  int64_t resamples = 0;     ///< of test objects, for the errors of metrics; 0: no such errors
  int64_t probe_seeds = 1;   ///< fits of each probe that starts from random weights
  IdNames id_names = {};     ///< tells the identifiers by their keys
  bool keep_probes = false;  ///< predictions hold what was fitted
};

/// A metric's value on the test objects with its standard errors, NaN where they are not known.
struct Metric {
  std::string name;
  double value = 0.0;
  double object_error = std::numeric_limits<double>::quiet_NaN();  ///< over test objects, by the bootstrap
  double seed_error = std::numeric_limits<double>::quiet_NaN();    ///< over the random starts of a probe
};

/// One line of a report.
struct Measurement {
  std::string representation, modality;
  std::string method;  ///< "knn", "mlp", "cosine", or the objects it is of: "12 → 7"
  Role role = Role::model;
  std::vector<Metric> values;  ///< in column order
  int64_t n_train = 0;         ///< training objects that something was fitted on or searched among
  int64_t n_test = 0;          ///< test objects that it is of
};

/// Which values of a metric are better.
enum class Better { more, less, nearer_zero };

/// A table a scientist can read.
struct Report {
  std::string title;
  std::string note;  ///< protocol in a sentence: k, metric definitions
  std::vector<Measurement> rows;
  std::map<std::string, Better> better = {};  ///< by metric; `astroclip compare` compares those that are named here
  std::string protocol = {};                  ///< its name: "own", "published", "corrected"; "" where it has no choice
};

/// What a task predicts of test objects from one representation, by a probe of one seed.
struct Prediction {
  std::string representation, modality;
  std::string method;  ///< as in a Measurement: "knn"
  Role role = Role::model;
  std::string label;                      ///< what is predicted
  int64_t trained_on = 0;                 ///< training objects
  std::vector<int64_t> ids;               ///< keys of the identifiers
  std::vector<double> truth, predicted;   ///< a value for each id, or [ids, outputs]
  std::vector<int64_t> objects = {};      ///< along ids: places in the test labels
  std::vector<std::string> outputs = {};  ///< what is predicted together: labels, or answers of which these are shares
  // What was fitted on the training objects, as it is saved; with TaskInput::keep_probes.
  std::vector<NamedTensor> fitted = {};
  std::map<std::string, std::string> metadata = {};
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
  /// Labels that the task reads where the dataset has them.
  virtual std::vector<std::string> optional_labels() const { return {}; }
  /// Whether it reads the tokens of representations that have them.
  virtual bool reads_tokens() const { return false; }
  virtual TaskResult run(const TaskInput& input) const = 0;
};

}  // namespace astroclip
