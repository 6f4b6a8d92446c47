#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/loss.h"
#include "data/loader.h"
#include "train/frozen_views.h"
#include "train/stage_setup.h"

namespace astroclip::train {

enum class Mode { training, validation, watching };

/// One batch on its way through a stage's loss. Views go to the device when the loss asks for them.
class StepContext final : public LossContext {
 public:
  /// Switches dropout on, with streams of the batch's own, or off. `step` counts the finished optimiser steps. The
  /// other arguments outlive the context.
  StepContext(const StageSetup& setup, const FrozenViews& frozen, const data::Batch& batch, int64_t step, Mode mode);

  /// Adds share · d(total)/d(parameter) to the gradient of every parameter. With `micro_batch`, embeddings that the
  /// loss asked for are made anew here, with the tape and micro-batch by micro-batch (Gao et al. 2021, "Scaling deep
  /// contrastive learning batch size under memory limited setup", section 3.2). To be called once.
  void backward(const Tensor& total, double share);

  int64_t batch_size() const override { return static_cast<int64_t>(batch_.rows.size()); }
  int64_t step() const override { return step_; }
  int64_t steps() const override { return stage_.spec.steps; }
  bool watching() const override { return mode_ == Mode::watching; }
  Rng rng(RngStream stream, int64_t sample) const override;
  Tensor raw(const std::string& view) override;
  Tensor tokens(const std::string& view) override;
  Encoded encode(const std::string& view, const Tensor& mask, TokenForm form) override;
  Encoded encode_selected(const std::string& view, const Tensor& mask, const std::vector<int64_t>& selected) override;
  Tensor embed(const std::string& view) override;
  const Encoder& encoder(const std::string& view) const override { return tower(view); }
  Tensor label(const std::string& name) const override;
  std::vector<double> label_values(const std::string& name) const override;
  Tensor upload(std::span<const float> values, const Shape& shape) const override;
  Communicator& communicator() const override { return single_process(); }

 private:
  /// What the loss got as a whole, and what is left to do for it when its gradient is known.
  struct Embedding {
    std::string view;
    Tensor values;  ///< [B, E], a leaf
  };

  Encoder& tower(const std::string& view) const { return setup_.tower(setup_.view(view).request.tower); }
  bool splits() const { return stage_.spec.micro_batch > 0 && stage_.spec.micro_batch < batch_size(); }
  /// Throws Error when the loss announced that it asks for the view's embedding alone.
  void expect_whole(const std::string& view) const;
  /// Throws Error where the loss may not ask for the features of the view's tokens.
  void expect_features(const std::string& view) const;
  const std::vector<double>& read_label(const std::string& name) const;
  /// The view on the device, from `raw` if the loss asked for it there.
  Tensor on_device(const std::string& view) const;
  Tensor tokens_of(const std::string& view);
  /// The rows of a view in each micro-batch.
  std::vector<RowRange> parts(const std::string& view);
  /// Embeds some rows of a view for the `call`-th embedding that the loss asked for; again with the same dropout.
  Tensor embed_part(const std::string& view, size_t call, RowRange rows);
  Tensor embed_in_parts(const std::string& view);

  const StageSetup& setup_;
  const Stage& stage_;
  const FrozenViews& frozen_;
  const data::Batch& batch_;
  int64_t step_;
  Mode mode_;
  uint64_t dropout_seed_;  ///< of the batch
  std::vector<Embedding> embeddings_;
  std::map<std::string, Tensor> raw_, tokens_;  ///< what was asked for so far
};

/// "the view 'image' of object 42 is not finite", of the first such object of a batch of the training split; "" when
/// there is none.
std::string bad_input(const data::Batch& batch, const Dataset& dataset);

}  // namespace astroclip::train
