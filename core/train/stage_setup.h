#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "data/loader.h"
#include "experiment/stage.h"
#include "model/model.h"

namespace astroclip::train {

/// What lives as long as a stage: its encoders, the loss attached to them and the encoders that the loss had rebuilt.
class StageSetup final : public LossSetup {
 public:
  /// Freezes what the stage freezes, makes the loss, lets it attach and gives it storage.
  StageSetup(const Stage& stage, const Model& model);

  const Stage& stage() const { return stage_; }
  const Model& model() const { return model_; }
  Loss& loss() const { return *loss_; }
  /// The loss's own forward, after_update, after_skip and figures, whose errors name it.
  LossValue forward(LossContext& context) const;
  void after_update(int64_t step);
  void after_skip() const;
  std::vector<LossFigure> figures(LossContext& context) const;
  /// What the loss asks for.
  const std::vector<data::ViewPlan>& views() const { return views_; }
  /// Throws Error when the loss did not ask for a view of that name.
  const data::ViewPlan& view(const std::string& name) const;
  /// Encoders that take one of those views, and modalities that those views are of, each once.
  std::vector<std::string> towers_of_views() const;
  std::vector<std::string> modalities_of_views() const;
  /// Puts loss and encoders into training mode or out of it, with dropout streams that derive from `seed`.
  void set_mode(bool training, uint64_t seed) const;
  /// The loss's tensors and those of the encoders it had rebuilt, for a checkpoint.
  std::vector<NamedTensor> state() const;

  /// What batches may change on their way through loss and encoders: moments of batch norms, for one.
  std::vector<NamedTensor> buffers() const;

  /// For the engine's own use, which sets modes.
  Encoder& tower(const std::string& name) const;

  const Encoder& encoder(const std::string& tower) const override { return this->tower(tower); }
  std::vector<std::string> towers() const override { return stage_.spec.encoders; }
  int64_t batch_size() const override { return stage_.spec.batch; }
  Encoder& rebuild(const std::string& tower, const std::string& name) override;

 private:
  /// "loss 'clip' of stage 'alignment'"
  std::string loss_title() const;
  /// Stochastic depth and recomputation.
  void prepare_blocks() const;
  void refuse_two_averages() const;
  void plan_views();

  Stage stage_;
  const Model& model_;
  std::shared_ptr<Loss> loss_;
  std::vector<data::ViewPlan> views_;
  std::vector<std::pair<std::string, std::shared_ptr<Encoder>>> rebuilt_;
};

}  // namespace astroclip::train
