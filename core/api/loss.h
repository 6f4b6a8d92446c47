#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/encoder.h"
#include "api/plugin.h"
#include "api/view.h"
#include "backend/communicator.h"
#include "base/rng.h"
#include "nn/module.h"

namespace astroclip {

/// A root mean square over the objects of a batch, which the log joins over batches as a mean of squares.
struct RootMeanSquare {
  std::string name;
  Tensor mean_square;  ///< one element
  double unit = 1.0;   ///< of the root
  double objects = 0;  ///< that the mean is over
};

/// What tells of a representation that collapses.
struct CollapseSign {
  std::string name;
  Tensor value;                          ///< one element
  std::optional<double> collapsed = {};  ///< what it becomes in a collapse; none: it is only shown
};

/// What training minimises at one step.
struct LossValue {
  Tensor total;                                       ///< one element, recorded
  std::vector<std::pair<std::string, Tensor>> terms;  ///< one element each, for the log and for the non-finite check
  std::vector<RootMeanSquare> roots = {};             ///< for the log
  std::vector<CollapseSign> signs = {};               ///< where the context is watching
  bool of_single_objects = false;  ///< objects of a batch do not meet: a validation may join batches of any size
};

/// What a loss makes of one object, as lines over a common axis.
struct LossFigure {
  struct Line {
    std::string name;
    std::vector<double> y;  ///< along x; NaN leaves a gap
  };
  int64_t object = 0;  ///< its place in the batch
  std::string view;    ///< lines are in the unit of the field that this view is made of
  std::string x_label;
  std::vector<double> x;  ///< rising
  std::vector<Line> lines;
  std::vector<std::pair<double, double>> shaded;  ///< spans of x
};

/// What the engine offers a loss while it attaches. Towers are encoders by their names, the keys under [encoders].
class LossSetup {
 public:
  virtual ~LossSetup() = default;
  /// Names of the stage's towers, in the order of the experiment file.
  virtual std::vector<std::string> towers() const = 0;
  /// Throws Error naming the towers there are.
  virtual const Encoder& encoder(const std::string& tower) const = 0;
  /// Objects in a batch of training.
  virtual int64_t batch_size() const = 0;
  /// A second encoder of the same plugin and parameters (an EMA teacher), frozen, owned by the engine and
  /// checkpointed with the loss under `name`.
  virtual Encoder& rebuild(const std::string& tower, const std::string& name) = 0;
};

/// What the engine offers a loss for one batch. The loss asks, the engine encodes: caching the tokens of frozen
/// towers, micro-batches, recomputation, precision and parallelism live behind these calls.
class LossContext {
 public:
  virtual ~LossContext() = default;
  /// Objects in the batch.
  virtual int64_t batch_size() const = 0;
  /// Position of the batch in the run, from 0, and length of the stage.
  virtual int64_t step() const = 0;
  virtual int64_t steps() const = 0;
  /// Whether the engine looks for a collapse: the loss then fills LossValue::signs.
  virtual bool watching() const { return false; }
  /// A stream for sample i of this batch: the same for any batch split or resume.
  virtual Rng rng(RngStream stream, int64_t sample) const = 0;
  /// A view before the encoder lays it out as tokens: [B · crops, view shape], an object's crops together.
  virtual Tensor raw(const std::string& view) = 0;
  /// The tokens of a view [B · crops, T, F], without gradient.
  virtual Tensor tokens(const std::string& view) = 0;
  /// The backbone's features of a view; `mask` [B, T] may be undefined.
  virtual Encoded encode(const std::string& view, const Tensor& mask, TokenForm form) = 0;
  /// The same for pretraining of some tokens only: those at `selected` of [B · crops · T], as [M, D] (undefined where
  /// none is selected). An encoder that is SelectedTokens saves the others' part of the last block.
  virtual Encoded encode_selected(const std::string& view, const Tensor& mask,
                                  const std::vector<int64_t>& selected) = 0;
  /// The head's embedding of a view [B, E].
  virtual Tensor embed(const std::string& view) = 0;
  /// The encoder behind a view, for its reconstruction head.
  virtual const Encoder& encoder(const std::string& view) const = 0;
  /// A numeric label of the batch [B]. Throws Error naming the labels there are.
  virtual Tensor label(const std::string& name) const = 0;
  /// The same on the host, rounded as on the device.
  virtual std::vector<double> label_values(const std::string& name) const { return label(name).to_doubles(); }
  /// Uploads host values in the run's dtype.
  virtual Tensor upload(std::span<const float> values, const Shape& shape) const = 0;
  virtual Communicator& communicator() const = 0;
};

/// A loss is a module: heads, prototypes, queues and teachers are its parameters and buffers.
class Loss : public nn::Module, public Plugin {
 public:
  /// The views it wants of each object.
  virtual std::vector<ViewRequest> views(const LossSetup& setup) const = 0;
  /// Labels the loss reads.
  virtual std::vector<std::string> labels() const { return {}; }
  /// Builds heads and teachers from the encoders; called once, before parameters get their storage.
  virtual void attach(LossSetup& setup) = 0;
  /// Called once when parameters have their initial values, before a checkpoint is restored: what begins as a copy.
  virtual void begin() {}
  virtual LossValue forward(LossContext& context) = 0;
  /// After optimiser step `step` of `steps`, from 0: teachers, queues, centres.
  virtual void after_update(LossSetup& /*setup*/, int64_t /*step*/, int64_t /*steps*/) {}
  /// In its place when the step was skipped, because something was not finite: what `forward` kept for it goes. The
  /// engine puts buffers back that `forward` changed.
  virtual void after_skip() {}
  /// Equal parts of a batch that the batch norms of a tower normalise apart in training, as on as many devices.
  virtual int64_t batch_norm_groups(const std::string& /*tower*/) const { return 1; }
  /// At each validation, of a few objects that are not trained on: figures for the run's folder. Without gradient.
  virtual std::vector<LossFigure> figures(LossContext& /*context*/) { return {}; }
  /// The encoder, made by `rebuild`, whose weights are meant for use in place of a tower's: model files, evaluation,
  /// validation by tasks and what comes after the stage take them. None: the tower's own.
  virtual const Encoder* product(const std::string& /*tower*/) const { return nullptr; }
};

}  // namespace astroclip
