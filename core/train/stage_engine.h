#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "data/loader.h"
#include "train/experiment.h"
#include "train/model.h"

namespace astroclip::train {

/// One stage's side of the loss interface: answers what the loss asks while it attaches and at each step.
class StageEngine final : public LossSetup, public LossContext {
 public:
  StageEngine(const Experiment& experiment, size_t stage, Model& model);

  /// Makes the loss, lets it attach and gives it storage.
  Loss& make_loss();
  /// What the loader must bring.
  std::vector<data::ViewPlan> view_plans() const;
  std::vector<std::string> modalities_of_views() const;
  /// Puts a batch in place of the last; moves its views to the device.
  void begin(data::Batch batch);
  /// The loss's tensors and those of the encoders it had rebuilt, for a checkpoint.
  std::vector<nn::NamedTensor> state() const;
  const std::vector<std::pair<std::string, std::shared_ptr<Encoder>>>& rebuilt() const { return rebuilt_; }

  const Encoder& encoder(const std::string& view_or_modality) const override;
  std::vector<std::string> modalities() const override;
  Encoder& rebuild(const std::string& modality, const std::string& name) override;

  int64_t batch_size() const override;
  int64_t step() const override { return batch_.step; }
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
  const StageSpec& spec() const { return experiment_.stages[stage_]; }

  const Experiment& experiment_;
  size_t stage_;
  Model& model_;
  std::shared_ptr<Loss> loss_;
  std::vector<ViewRequest> requests_;
  std::vector<std::pair<std::string, std::shared_ptr<Encoder>>> rebuilt_;
  data::Batch batch_;
  std::map<std::string, Tensor> raw_, tokens_;
};

}  // namespace astroclip::train
