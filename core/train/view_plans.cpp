#include "train/view_plans.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/error.h"

namespace astroclip::train {

namespace {

/// A stage's encoders without storage.
class DeclaredTowers final : public LossSetup {
 public:
  explicit DeclaredTowers(const Stage& stage) : stage_(stage) {
    for (const std::string& name : stage.spec.encoders) encoders_[name] = stage.experiment.encoder(name).plugin.make();
  }

  std::vector<std::string> towers() const override { return stage_.spec.encoders; }
  int64_t batch_size() const override { return stage_.spec.batch; }
  const Encoder& encoder(const std::string& tower) const override {
    const auto found = encoders_.find(tower);
    if (found != encoders_.end()) return *found->second;
    throw Error(fmt::format("[stages.{}] the loss asks for an encoder '{}', the stage has {}", stage_.spec.name, tower,
                            fmt::join(towers(), ", ")));
  }
  Encoder& rebuild(const std::string& tower, const std::string&) override {
    return *rebuilt_.emplace_back(stage_.experiment.encoder(tower).plugin.make());
  }

 private:
  const Stage& stage_;
  std::map<std::string, std::shared_ptr<Encoder>> encoders_;
  std::vector<std::shared_ptr<Encoder>> rebuilt_;
};

}  // namespace

data::ViewPlan plan_view(const Experiment& experiment, const Encoder& taker, ViewRequest request) {
  request.modality = taker.modality();
  data::ViewPlan plan{std::move(request), taker.input_shape()};
  if (!plan.request.augment) return plan;
  std::vector<std::string> names = plan.request.groups;
  if (names.empty()) names = {plan.request.tower};
  for (const std::string& name : names) {
    plan.groups.push_back(experiment.dataset.view_group(name));
    const data::ViewGroup &first = plan.groups.front(), &other = plan.groups.back();
    if (other.size == first.size) continue;
    throw Error(fmt::format("[dataset.views] '{}' and '{}' make crops of one view, '{}', and have the sizes {} and {}",
                            first.name, other.name, plan.request.name, first.size, other.size));
  }
  const int64_t size = plan.groups.front().size;
  if (size > 0) plan.shape = plan.shape.with(-1, size).with(-2, size);
  return plan;
}

std::vector<data::ViewPlan> planned_views(const Stage& stage) {
  DeclaredTowers towers(stage);
  const std::shared_ptr<Loss> loss = stage.spec.loss.make();
  loss->attach(towers);
  std::vector<data::ViewPlan> plans;
  for (const ViewRequest& request : loss->views(towers))
    plans.push_back(plan_view(stage.experiment, towers.encoder(request.tower), request));
  return plans;
}

}  // namespace astroclip::train
