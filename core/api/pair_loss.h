#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "config/schema.h"
#include "nn/layers.h"

namespace astroclip {

/// A tower's embeddings: those of this process's B objects, and of all processes' N in the order of ranks.
struct Tower {
  std::string name;
  Tensor own;  ///< [B, E]
  Tensor all;  ///< [N, E]
};

struct PairParameters {
  bool augment = true;
  std::vector<double> pair_weights;
};

/// A loss that brings the stage's towers together: the weighted mean, over all pairs of towers, of what it makes of
/// two.
class PairLoss : public Loss {
 public:
  explicit PairLoss(PairParameters parameters) : parameters_(std::move(parameters)) {}
  /// One of each tower, under its name.
  std::vector<ViewRequest> views(const LossSetup& setup) const override;
  /// Throws Error unless there are two or more towers with heads of equal width, and a weight for each pair.
  void attach(LossSetup& setup) override;
  LossValue forward(LossContext& context) override;

 protected:
  /// The loss of two towers. Every pair has the same terms.
  virtual LossValue pair_loss(const Tower& a, const Tower& b, LossContext& context) const = 0;
  /// What pairs are made of, from this process's embeddings [B, E] of a tower: here their directions, at unit length.
  virtual Tower tower(size_t index, const Tensor& embeddings, Communicator& communicator) const;
  /// Names of the towers in the order of the stage, from `attach` on.
  const std::vector<std::string>& towers() const { return towers_; }
  /// Throws Error when the batches of all processes together have fewer objects.
  void need_objects(int64_t count, const Tower& tower) const;

 private:
  PairParameters parameters_;
  std::vector<std::string> towers_;
  std::vector<double> weights_;  ///< of pairs; their sum is 1
};

/// A pair loss of what a network, one for each tower, makes of the embeddings: projectors, expanders.
class ProjectedPairLoss : public PairLoss {
 public:
  /// Parameters are named "NAME.TOWER.layers.0.weight". Without `widths` there is no network.
  ProjectedPairLoss(PairParameters parameters, std::string name, std::vector<int64_t> widths, bool batch_norm)
      : PairLoss(std::move(parameters)), name_(std::move(name)), widths_(std::move(widths)), batch_norm_(batch_norm) {}
  void attach(LossSetup& setup) override;

 protected:
  /// Each process maps the objects of all, so that batch norms see the whole batch.
  Tower tower(size_t index, const Tensor& embeddings, Communicator& communicator) const override;

 private:
  std::string name_;
  std::vector<int64_t> widths_;
  bool batch_norm_;
  std::vector<std::unique_ptr<nn::Mlp>> networks_;
};

/// [rows, columns]: `own` where row and column are the same object, else `other`.
Tensor own_or_other(const LossContext& context, int64_t rows, int64_t columns, float own, float other);

/// A pair loss's schema with the fields of PairParameters, which P derives from.
template <class P>
config::Schema<P> pair_schema(std::string summary) {
  return config::Schema<P>(std::move(summary))
      .field("augment", &P::augment, "encode augmented views, as [dataset.views] describes them")
      .field("pair_weights", &P::pair_weights,
             "weight of each pair of towers in the mean over pairs, in the order 1–2, 1–3, …, 2–3, …; none: all equal",
             config::each(config::at_least(0.0)));
}

}  // namespace astroclip
