#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "probe/sample.h"
#include "search/knn.h"
#include "tensor/named_tensor.h"

/// Probes: small models that predict labels from frozen vectors.
namespace astroclip::probe {

/// What was fitted on labelled vectors. `fit_…` makes one, `restore` makes it again from its tensors.
class Probe {
 public:
  virtual ~Probe() = default;
  /// Rows of features that an object has: 1, or its tokens.
  virtual int64_t vectors() const { return 1; }
  /// [objects · vectors(), columns] to [objects, outputs]: numbers, or the share of each answer.
  virtual std::vector<double> predict(const Matrix& features) const = 0;
  virtual std::vector<NamedTensor> tensors() const = 0;
};

/// Means of the neighbours' targets, weighted by inverse distance; neighbours at distance 0 decide alone. NaN where
/// all are infinitely far. `targets` [rows that were searched, outputs]; gives [queries, outputs].
std::vector<double> knn_means(const search::Neighbours& neighbours, std::span<const double> targets,
                              int64_t outputs = 1);

/// The mean of the k nearest training objects: of numbers a regression, of shares a vote. "features" [objects,
/// columns], "labels" [objects, outputs], "k" [1].
std::unique_ptr<Probe> fit_knn(const Sample& train, int64_t k);

/// The least |y − X w − b|² + penalty · |w|² for each output, in closed form (Hoerl & Kennard 1970): "weight" [outputs,
/// columns], "bias" [outputs]. Shares may come out below 0 or above 1; the largest tells the answer, as in
/// scikit-learn's RidgeClassifier. `penalty` is above 0.
std::unique_ptr<Probe> fit_ridge(const Sample& train, double penalty);

/// Multinomial logistic regression of shares: the least Σ cross-entropy + penalty/2 · |w|², by Newton's method with
/// conjugate gradients (Nocedal & Wright 2006, algorithm 7.1): "weight" [outputs, columns], "bias" [outputs]. `penalty`
/// is above 0, and is 1/C of scikit-learn's LogisticRegression.
std::unique_ptr<Probe> fit_logistic(const Sample& train, double penalty);

/// How networks are trained: MLP probes, and attentive ones behind their pooling.
struct MlpOptions {
  std::vector<int64_t> hidden;  ///< widths of hidden layers; none: a linear model
  int64_t epochs = 10;
  int64_t batch = 64;
  double lr = 1e-3;
  double dropout = 0.1;
  double validation = 0.0;      ///< share of the training objects set apart to choose the best epoch
  bool keeps_best = true;       ///< false: the last epoch is kept, although objects are set apart
  bool softmax_twice = false;   ///< the cross-entropy takes the softmax of the shares for logits
  bool draws_by_share = false;  ///< an epoch draws objects with replacement, by their largest share

  bool operator==(const MlpOptions&) const = default;
};

/// A network with ReLU, trained by Adam on the mean squared error of standardised numbers, or on the cross-entropy with
/// shares; with `validation`, the weights of the epoch with the least error on the objects set apart: "layers.N.weight"
/// [out, in], "layers.N.bias" [out], and of numbers "label_mean" and "label_deviation" [outputs]. `name` and `seed` key
/// the random streams.
std::unique_ptr<Probe> fit_mlp(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed);

/// One learned query attends to the tokens of an object (its products with them weigh their mean, by a softmax), and a
/// network as of fit_mlp takes the layer norm of what it finds; trained together, as by fit_mlp, on `train.tokens` in
/// place of features: "query" [1, columns], which begins at 0, with the plain mean, "norm.weight" and "norm.bias"
/// [columns], "mlp.layers.N.…" and "tokens" [1], the number of an object's.
std::unique_ptr<Probe> fit_attentive(const Sample& train, const Standardiser& standardise, const MlpOptions& options,
                                     const std::string& name, uint64_t seed);

/// The probe of a method ("knn", "ridge", "logistic", "mlp", "attentive") from its tensors. Throws Error naming a
/// method that is unknown or a tensor that is missing or of another shape.
std::unique_ptr<Probe> restore(const std::string& method, const std::map<std::string, Tensor>& tensors, Target target);

}  // namespace astroclip::probe
