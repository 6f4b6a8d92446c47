#include "api/composite_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace astroclip {

namespace {

/// The step as it is, but for embeddings: what one loss asked for, the others get, too.
class SharedEmbeddings final : public LossContext {
 public:
  explicit SharedEmbeddings(LossContext& step) : step_(step) {}

  int64_t batch_size() const override { return step_.batch_size(); }
  int64_t step() const override { return step_.step(); }
  int64_t steps() const override { return step_.steps(); }
  bool watching() const override { return step_.watching(); }
  Rng rng(RngStream stream, int64_t sample) const override { return step_.rng(stream, sample); }
  Tensor raw(const std::string& view) override { return step_.raw(view); }
  Tensor tokens(const std::string& view) override { return step_.tokens(view); }
  Encoded encode(const std::string& view, const Tensor& mask, TokenForm form) override {
    return step_.encode(view, mask, form);
  }
  Encoded encode_selected(const std::string& view, const Tensor& mask, const std::vector<int64_t>& selected) override {
    return step_.encode_selected(view, mask, selected);
  }
  Tensor embed(const std::string& view) override {
    Tensor& embedding = embeddings_[view];
    if (!embedding.defined()) embedding = step_.embed(view);
    return embedding;
  }
  const Encoder& encoder(const std::string& view) const override { return step_.encoder(view); }
  Tensor label(const std::string& name) const override { return step_.label(name); }
  std::vector<double> label_values(const std::string& name) const override { return step_.label_values(name); }
  Tensor upload(std::span<const float> values, const Shape& shape) const override {
    return step_.upload(values, shape);
  }
  Communicator& communicator() const override { return step_.communicator(); }

 private:
  LossContext& step_;
  std::map<std::string, Tensor> embeddings_;
};

/// The stage as it is, but for teachers, whose names begin with the loss's.
class PartSetup final : public LossSetup {
 public:
  PartSetup(LossSetup& stage, std::string part) : stage_(stage), part_(std::move(part)) {}

  const Encoder& encoder(const std::string& tower) const override { return stage_.encoder(tower); }
  int64_t batch_size() const override { return stage_.batch_size(); }
  std::vector<std::string> towers() const override { return stage_.towers(); }
  Encoder& rebuild(const std::string& tower, const std::string& name) override {
    return stage_.rebuild(tower, part_ + "." + name);
  }

 private:
  LossSetup& stage_;
  std::string part_;
};

}  // namespace

void CompositeLoss::add_part(const std::string& name, std::shared_ptr<Loss> loss) {
  child(name, *loss);
  parts_.emplace_back(name, std::move(loss));
}

std::vector<ViewRequest> CompositeLoss::views(const LossSetup& setup) const {
  std::vector<ViewRequest> all;
  for (const auto& [name, loss] : parts_) {
    for (ViewRequest& view : loss->views(setup)) {
      const auto known = std::ranges::find(all, view.name, &ViewRequest::name);
      if (known == all.end()) {
        all.push_back(std::move(view));
      } else if (*known != view) {
        fail(
            fmt::format("the losses want different views '{}' ('{}' disagrees with those before it): give them the "
                        "same 'augment'",
                        view.name, name));
      }
    }
  }
  return all;
}

std::vector<std::string> CompositeLoss::labels() const {
  std::vector<std::string> all;
  for (const auto& [name, loss] : parts_) {
    for (std::string& label : loss->labels()) {
      if (std::ranges::find(all, label) == all.end()) all.push_back(std::move(label));
    }
  }
  return all;
}

void CompositeLoss::attach(LossSetup& setup) {
  for (const auto& [name, loss] : parts_) {
    PartSetup own(setup, name);
    loss->attach(own);
  }
}

LossValue CompositeLoss::forward(LossContext& step) {
  SharedEmbeddings context(step);
  LossValue value;
  value.of_single_objects = true;
  std::vector<Tensor> totals;
  for (const auto& [name, loss] : parts_) {
    LossValue own = loss->forward(context);
    totals.push_back(own.total);
    value.terms.emplace_back(name, own.total);
    for (const auto& [term, tensor] : own.terms) {
      if (term != loss->plugin_name()) value.terms.emplace_back(name + "." + term, tensor);
    }
    for (RootMeanSquare& root : own.roots) {
      root.name = name + "." + root.name;
      value.roots.push_back(std::move(root));
    }
    for (CollapseSign& sign : own.signs) {
      sign.name = name + "." + sign.name;
      value.signs.push_back(std::move(sign));
    }
    value.of_single_objects = value.of_single_objects && own.of_single_objects;
  }
  value.total = combined(totals, step);
  return value;
}

void CompositeLoss::begin() {
  for (const auto& [name, loss] : parts_) loss->begin();
}

void CompositeLoss::after_update(LossSetup& setup, int64_t step, int64_t steps) {
  for (const auto& [name, loss] : parts_) {
    PartSetup own(setup, name);
    loss->after_update(own, step, steps);
  }
}

void CompositeLoss::after_skip() {
  for (const auto& [name, loss] : parts_) loss->after_skip();
}

int64_t CompositeLoss::batch_norm_groups(const std::string& tower) const {
  int64_t groups = 1;
  for (const auto& [name, loss] : parts_) groups = std::max(groups, loss->batch_norm_groups(tower));
  return groups;
}

std::vector<LossFigure> CompositeLoss::figures(LossContext& step) {
  SharedEmbeddings context(step);
  std::vector<LossFigure> all;
  for (const auto& [name, loss] : parts_) std::ranges::move(loss->figures(context), std::back_inserter(all));
  return all;
}

const Encoder* CompositeLoss::product(const std::string& tower) const {
  for (const auto& [name, loss] : parts_) {
    if (const Encoder* found = loss->product(tower)) return found;
  }
  return nullptr;
}

}  // namespace astroclip
