// A weighted sum of losses, each with parameters of its own.
#include <map>
#include <string>
#include <vector>

#include "api/composite_loss.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Sum final : public CompositeLoss {
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

  explicit Sum(const Parameters& parameters) : weights_(parameters.weights) {
    weights_.resize(parameters.losses.size(), 1.0);
    std::map<std::string, int> count;
    for (const plugin::Spec<Loss>& spec : parameters.losses) {
      const int number = ++count[spec.plugin];
      add_part(number == 1 ? spec.plugin : spec.plugin + "_" + std::to_string(number), spec.make());
    }
  }

 private:
  Tensor combined(const std::vector<Tensor>& totals, const LossContext&) const override {
    Tensor sum;
    for (size_t i = 0; i < totals.size(); ++i) sum = add_weighted(sum, weights_[i], totals[i]);
    return sum;
  }

  std::vector<double> weights_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Sum)
