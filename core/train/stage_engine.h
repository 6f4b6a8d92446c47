#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "data/loader.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "train/frozen_views.h"

namespace astroclip::train {

/// One stage's side of the loss interface: answers what the loss asks while it attaches and at each step.
class StageEngine final : public LossSetup, public LossContext {
 public:
  /// Features of frozen backbones are kept in `cache` where there is one.
  StageEngine(const Experiment& experiment, size_t stage, Model& model, evaluate::TokenCache* cache = nullptr);

  /// Makes the loss, lets it attach and gives it storage.
  Loss& make_loss();
  /// What the loader must bring.
  std::vector<data::ViewPlan> view_plans() const;
  std::vector<std::string> modalities_of_views() const;
  Loss& loss() const { return *loss_; }
  enum class Mode { training, validation };
  /// Makes a view that a batch lacks; none where batches have them all.
  using MakeView = std::function<HostArray(const std::string& view, const data::Batch& batch)>;
  /// Puts a batch in place of the last and switches dropout on, with streams of its own, or off. `step` counts the
  /// finished optimiser steps. Views go to the device when the loss asks for them; one that was left out of the batch
  /// is made then.
  void begin(data::Batch batch, int64_t step, Mode mode, MakeView make = nullptr);
  /// Adds share · d(total)/d(parameter) to the gradient of every parameter. With `micro_batch`, embeddings that the
  /// loss asked for are made anew here, with the tape and micro-batch by micro-batch (Gao et al. 2021, "Scaling deep
  /// contrastive learning batch size under memory limited setup", section 3.2).
  void backward(const Tensor& total, double share);
  /// "the view 'image' of object 42 is not finite", of the first such object of the batch; "" when there is none.
  std::string bad_input(const Dataset& dataset) const;
  /// Views of the batch that were not looked at, because a cache has what the loss asked of them.
  std::vector<std::string> idle_views() const;
  /// The loss's tensors and those of the encoders it had rebuilt, for a checkpoint.
  std::vector<NamedTensor> state() const;
  const std::vector<std::pair<std::string, std::shared_ptr<Encoder>>>& rebuilt() const { return rebuilt_; }

  const Encoder& encoder(const std::string& view_or_modality) const override;
  std::vector<std::string> modalities() const override;
  Encoder& rebuild(const std::string& modality, const std::string& name) override;

  int64_t batch_size() const override;
  int64_t step() const override { return step_; }
  int64_t steps() const override;
  Rng rng(Purpose purpose, int64_t sample) const override;
  Tensor raw(const std::string& view) const override;
  Tensor tokens(const std::string& view) override;
  Encoded encode(const std::string& view, const Tensor& mask, TokenForm form) override;
  Tensor embed(const std::string& view) override;
  Tensor label(const std::string& name) const override;
  Tensor upload(std::span<const float> values, const Shape& shape) const override;
  Communicator& communicator() const override { return single_process(); }

 private:
  /// What the loss got as a whole, and what is left to do for it when its gradient is known.
  struct Embedding {
    std::string view;
    Tensor values;  ///< [B, E], a leaf
  };

  const StageSpec& spec() const { return experiment_.stages[stage_]; }
  data::ViewPlan plan(const ViewRequest& request) const;
  /// The stage's name for a view's modality.
  const std::string& encoder_name(const std::string& view_or_modality) const;
  bool splits() const { return spec().micro_batch > 0 && spec().micro_batch < batch_size(); }
  /// The rows of a view in each micro-batch.
  std::vector<RowRange> parts(const std::string& view);
  /// Embeds some rows of a view for the `call`-th embedding that the loss asked for; again with the same dropout.
  Tensor embed_part(const std::string& view, size_t call, RowRange rows);
  Tensor embed_in_parts(const std::string& view);
  void set_modes(Mode mode);

  const Experiment& experiment_;
  size_t stage_;
  Model& model_;
  std::shared_ptr<Loss> loss_;
  std::vector<ViewRequest> requests_;
  std::vector<std::pair<std::string, std::shared_ptr<Encoder>>> rebuilt_;
  data::Batch batch_;
  int64_t step_ = 0;
  uint64_t dropout_seed_ = 0;  ///< of the batch
  std::vector<Embedding> embeddings_;
  MakeView make_view_;
  mutable std::map<std::string, Tensor> raw_;  ///< what was asked for so far
  std::map<std::string, Tensor> tokens_;
  FrozenViews frozen_;
};

}  // namespace astroclip::train
