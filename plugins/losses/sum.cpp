// A weighted sum of losses, each with parameters of its own.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

/// The step as it is, but for embeddings: what one loss asked for, the others get, too.
class SharedEmbeddings final : public LossContext {
 public:
  explicit SharedEmbeddings(LossContext& step) : step_(step) {}

  int64_t batch_size() const override { return step_.batch_size(); }
  int64_t step() const override { return step_.step(); }
  int64_t steps() const override { return step_.steps(); }
  Rng rng(RngStream stream, int64_t sample) const override { return step_.rng(stream, sample); }
  Tensor raw(const std::string& view) override { return step_.raw(view); }
  Tensor tokens(const std::string& view) override { return step_.tokens(view); }
  Encoded encode(const std::string& view, const Tensor& mask, TokenForm form) override {
    return step_.encode(view, mask, form);
  }
  Tensor embed(const std::string& view) override {
    Tensor& embedding = embeddings_[view];
    if (!embedding.defined()) embedding = step_.embed(view);
    return embedding;
  }
  const Encoder& encoder(const std::string& view) const override { return step_.encoder(view); }
  Tensor label(const std::string& name) const override { return step_.label(name); }
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
  std::vector<std::string> towers() const override { return stage_.towers(); }
  Encoder& rebuild(const std::string& tower, const std::string& name) override {
    return stage_.rebuild(tower, part_ + "." + name);
  }

 private:
  LossSetup& stage_;
  std::string part_;
};

class Sum final : public Loss {
 public:
  struct Parameters {
    std::vector<plugin::Spec<Loss>> losses;
    std::vector<double> weights;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Weighted sum of losses.")
            .plugins("losses", &Parameters::losses, "the losses, each with its own parameters")
            .field("weights", &Parameters::weights, "weight of each loss; none: all are 1",
                   config::each(config::at_least(0.0)))
            .check([](const Parameters& p) { return p.losses.empty() ? "'losses' must name at least one loss" : ""; })
            .check([](const Parameters& p) {
              const bool fits = p.weights.empty() || p.weights.size() == p.losses.size();
              return fits ? "" : "'weights' must hold one number for each loss, or none";
            })
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "sum", losses = [{ plugin = "clip" }, { plugin = "vicreg", covariance = 2.0 }], weights = [1.0, 0.1] }
)");
    return schema;
  }

  explicit Sum(const Parameters& parameters) {
    for (size_t i = 0; i < parameters.losses.size(); ++i) {
      const plugin::Spec<Loss>& spec = parameters.losses[i];
      const auto same = std::ranges::count(parts_, spec.plugin, &Part::plugin);
      const std::string name = same == 0 ? spec.plugin : spec.plugin + "_" + std::to_string(same + 1);
      parts_.push_back({spec.plugin, name, parameters.weights.empty() ? 1.0 : parameters.weights[i], spec.make()});
      child(name, *parts_.back().loss);
    }
  }

  std::vector<ViewRequest> views(const LossSetup& setup) const override {
    std::vector<ViewRequest> all;
    for (const Part& part : parts_) {
      for (ViewRequest& view : part.loss->views(setup)) {
        const auto known = std::ranges::find(all, view.name, &ViewRequest::name);
        if (known == all.end()) {
          all.push_back(std::move(view));
        } else if (*known != view) {
          fail("the losses want different views '" + view.name + "' ('" + part.name +
               "' disagrees with those before it): give them the same 'augment'");
        }
      }
    }
    return all;
  }

  std::vector<std::string> labels() const override {
    std::vector<std::string> all;
    for (const Part& part : parts_) {
      for (std::string& label : part.loss->labels()) {
        if (std::ranges::find(all, label) == all.end()) all.push_back(std::move(label));
      }
    }
    return all;
  }

  void attach(LossSetup& setup) override {
    for (const Part& part : parts_) {
      PartSetup own(setup, part.name);
      part.loss->attach(own);
    }
  }

  LossValue forward(LossContext& step) override {
    SharedEmbeddings context(step);
    LossValue value;
    for (const Part& part : parts_) {
      const LossValue own = part.loss->forward(context);
      value.total = add_weighted(value.total, part.weight, own.total);
      value.terms.emplace_back(part.name, own.total);
      for (const auto& [term, tensor] : own.terms) {
        if (term != part.plugin) value.terms.emplace_back(part.name + "." + term, tensor);
      }
    }
    return value;
  }

  void after_update(LossSetup& setup, int64_t step) override {
    for (const Part& part : parts_) {
      PartSetup own(setup, part.name);
      part.loss->after_update(own, step);
    }
  }

 private:
  struct Part {
    std::string plugin, name;
    double weight;
    std::shared_ptr<Loss> loss;
  };

  std::vector<Part> parts_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Sum)
